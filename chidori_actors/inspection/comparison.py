"""Two runs compared call by call."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .. import exact_json
from ..canonical import canonical
from ..journal.lanes import Settled, Started, read_lane
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..line_diff import LineDiff, diff_json
from ..turns import Turns
from .call_entries import settled_entry, started_entry
from .call_list import call_row
from .labels import read_page_labels
from .picture import RunPicture
from .pictured import PicturedCall

Kind = Literal["shared", "same", "changed", "left_only", "right_only"]
UNCHANGED: frozenset[Kind] = frozenset(("shared", "same"))

_Texts = tuple[bytes, bytes]
"""What stands for a call's args and for its result: equal for equal ones."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The calls of two runs at one path, and in what they differ: ``function``, ``args``, ``result``, ``error``,
    ``state``. ``shared`` is one record that both runs have."""

    path: str
    kind: Kind
    left: PicturedCall | None
    right: PicturedCall | None
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs of two runs in the order of the tree, as they were at the ``versions`` of their pictures."""

    versions: tuple[str, str]
    pairs: Sequence[Pair]

    @property
    def counts(self) -> Mapping[Kind, int]:
        """How many pairs there are of each kind."""
        return Counter(pair.kind for pair in self.pairs)


async def compare_runs(store: Store, left: RunPicture, right: RunPicture) -> Comparison:
    """Compare two runs; args and results of a history that they share are not read. Others have their turns meanwhile.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    versions, turns = (left.version, right.version), Turns()
    sides = [{call.path: call for call in picture.contents.listed} for picture in (left, right)]
    shared = [
        path
        for path, call in sides[0].items()
        if (other := sides[1].get(path)) is not None and _is_one(left, call, right, other)
    ]
    both = sides[0].keys() & sides[1].keys() - set(shared)
    texts = [await _texts(store, [side[path] for path in both], turns) for side in sides]
    pairs = []
    for path in sorted(sides[0].keys() | sides[1].keys(), key=_place_in_tree):
        one, other = sides[0].get(path), sides[1].get(path)
        if one is None or other is None:
            pairs.append(Pair(path, "left_only" if other is None else "right_only", one, other))
        elif path in both:
            differs = _differences((left.state(one), one, texts[0]), (right.state(other), other, texts[1]))
            pairs.append(Pair(path, "changed" if differs else "same", one, other, differs))
        else:
            pairs.append(Pair(path, "shared", one, other))
        await turns.over()
    return Comparison(versions, pairs)


async def pair_rows(store: Store, left: RunPicture, right: RunPicture, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The pairs as a list shows them.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    for side in ([pair.left for pair in pairs], [pair.right for pair in pairs]):
        await read_page_labels(store, (call for call in side if call is not None))
    return [
        {
            "path": pair.path,
            "kind": pair.kind,
            "differs": list(pair.differs),
            "left": None if pair.left is None else call_row(left, pair.left),
            "right": None if pair.right is None else call_row(right, pair.right),
        }
        for pair in pairs
    ]


def compare_outputs(left: RunMeta, right: RunMeta) -> LineDiff:
    """The outputs of two runs, line by line."""
    return diff_json(left.output, right.output)


def diff_calls(store: Store, left: PicturedCall | None, right: PicturedCall | None) -> tuple[LineDiff, LineDiff]:
    """The args and the results of two calls, line by line; None is no call.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    one, other = (_args_and_result(store, call) for call in (left, right))
    return diff_json(one[0], other[0]), diff_json(one[1], other[1])


def _args_and_result(store: Store, call: PicturedCall | None) -> tuple[bytes | None, bytes | None]:
    if call is None:
        return None, None
    started, settled = started_entry(store, call), settled_entry(store, call)
    return None if started is None else started.args, None if settled is None else settled.value


def _is_one(left: RunPicture, one: PicturedCall, right: RunPicture, other: PicturedCall) -> bool:
    """Whether both are one record, which one of the runs has from the other, or both from a third."""
    if one.ended is None or other.ended is None or one.index != other.index:
        return False
    if (one.seq, one.began_ms, one.ended_ms) != (other.seq, other.began_ms, other.ended_ms):
        return False
    origins = (
        picture.contents.origin(call, picture.run.origin_run_id or picture.run.id)
        for picture, call in ((left, one), (right, other))
    )
    return next(origins) == next(origins)


async def _texts(store: Store, calls: Iterable[PicturedCall], turns: Turns) -> Mapping[str, _Texts]:
    by_lane: defaultdict[int, list[PicturedCall]] = defaultdict(list)
    for call in calls:
        by_lane[call.lane.number].append(call)
    found: dict[str, _Texts] = {}
    for lane, inside in by_lane.items():
        starts = {call.started: call for call in inside if call.started is not None}
        ends = {call.settled: call for call in inside if call.settled is not None}
        first = min((*starts, *ends), default=0)
        args: dict[str, bytes] = {}
        results: dict[str, bytes] = {}
        for place, entry in enumerate(read_lane(store, lane, start=first), start=first):
            if place in starts and isinstance(entry, Started):
                args[starts[place].path] = _digest(_comparable(entry))
            elif place in ends and isinstance(entry, Settled):
                results[ends[place].path] = _digest(entry.value or b"")
            await turns.over()
        found |= {call.path: (args.get(call.path, b""), results.get(call.path, b"")) for call in inside}
    return found


def _comparable(call: Started) -> bytes:
    if call.function != "prompt":
        return call.args
    args = exact_json.loads(call.args)
    args.pop("request_digest", None)  # a replay does not compare it either
    return canonical(args)


def _digest(text: bytes) -> bytes:
    # Texts of long runs at once could take more memory than there is.
    return hashlib.blake2b(text, digest_size=16).digest()


def _differences(
    left: tuple[str, PicturedCall, Mapping[str, _Texts]], right: tuple[str, PicturedCall, Mapping[str, _Texts]]
) -> tuple[str, ...]:
    (state, call, texts), (other_state, other, other_texts) = left, right
    args, result = texts[call.path]
    other_args, other_result = other_texts[other.path]
    differing = {
        "function": call.function != other.function,
        "args": args != other_args,
        "result": result != other_result,
        "error": call.error != other.error,
        "state": state != other_state,
    }
    return tuple(name for name, differs in differing.items() if differs)


def _place_in_tree(path: str) -> tuple[int, ...]:
    """A call comes right before what is inside of it; branches by their index."""
    return tuple(int(part.removeprefix("b")) for part in path.split("/"))
