"""The lanes and calls of a run as they are kept for the console: what a bar needs to know, not args and results."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Literal

from ..call_labels import model_of, short_args
from ..errors import StoreError
from ..journal.actors import ActorMeta, ActorStatus
from ..journal.json_text import parse_json
from ..journal.lanes import Settled, Started
from ..journal.records import call_path, error_text, never_made
from .waiting import waited_ms

Ended = Literal["done", "failed", "cancelled"]
State = Literal["running", "waiting", "done", "failed", "cancelled"]

LABEL_LENGTH = 80
_ROWS_TRIED = 16
_NAMED_BY = {"tool": "name", "call_agent": "path"}
_ENDED: dict[ActorStatus, Ended] = {"completed": "done", "failed": "failed", "cancelled": "cancelled"}


@dataclass(slots=True, eq=False)
class PicturedCall:
    """A call. ``started`` and ``settled`` are the places of its entries in its lane; the first is None for a call that
    is under way and not in the store yet.

    ``label`` is what a person knows it by, None while its args, which lie in a blob, were not looked at; ``inside`` is
    the name of the tool or agent that it starts. ``ended`` is None while it is under way; ``wait_ms``: see waiting.py.
    ``begin_ms`` and ``end_ms`` are where it is shown, ``began_ms`` and ``ended_ms`` what was recorded (LaneEntries).
    """

    lane: "PicturedLane"
    ordinal: int
    seq: int
    function: str
    parent_seq: int | None
    begin_ms: int
    began_ms: int
    started: int | None
    label: str | None = None
    inside: str | None = None
    model: str | None = None
    row: int = 0
    ended: Ended | None = None
    end_ms: int | None = None
    ended_ms: int | None = None
    settled: int | None = None
    index: int = 0
    wait_ms: int = 0
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def path(self) -> str:
        return call_path(self.lane.path, self.ordinal)

    def name_by(self, args: bytes) -> None:
        """Take label, model and name from its args."""
        given = parse_json(args)
        self.label = short_args(self.function, given, LABEL_LENGTH)
        self.model = model_of(self.function, given)
        if isinstance(given, dict):
            self.inside = _text(given.get(_NAMED_BY.get(self.function, "")))


class Row:
    """Calls of a lane none of which overlaps another. Of those that have ended it knows how many failed, were cancelled
    or are recorded, up to each of them."""

    __slots__ = ("calls", "cancelled", "failed", "recorded")

    def __init__(self) -> None:
        self.calls: list[PicturedCall] = []
        self.failed = [0]
        self.cancelled = [0]
        self.recorded = [0]

    def ended(self, call: PicturedCall, recorded: bool) -> None:
        """The last of its calls, which was the only one under way, has ended."""
        self.failed.append(self.failed[-1] + (call.ended == "failed"))
        self.cancelled.append(self.cancelled[-1] + (call.ended == "cancelled"))
        self.recorded.append(self.recorded[-1] + recorded)

    def first_ending_after(self, at_ms: float, start: int = 0) -> int:
        """The place of the first call from ``start`` on that has not ended before that moment."""
        return bisect_left(self.calls, at_ms, lo=start, key=_end)

    def first_beginning_after(self, at_ms: float) -> int:
        """The place of the first call that begins at that moment or later."""
        return bisect_left(self.calls, at_ms, key=_begin)


def _begin(call: PicturedCall) -> float:
    return call.begin_ms


def _end(call: PicturedCall) -> float:
    return float("inf") if call.end_ms is None else call.end_ms


@dataclass(slots=True, eq=False)
class PicturedLane:
    """An actor. ``number`` is its lane's, below 0 for one that is not in the store yet; ``length`` is the number of the
    next entry to be read; ``meta`` is None for the root. ``grows``: its lane is the run's own, not one that it shares
    with another run. ``later_ms`` is how much later it is shown than it was recorded."""

    number: int
    path: str
    meta: ActorMeta | None
    parent: "PicturedCall | None"
    source: str | None
    length: int = 0
    grows: bool = True
    later_ms: int = 0
    calls: dict[int, PicturedCall] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    inside: list["PicturedLane"] = field(default_factory=list)
    """Of all of its calls, in the order of the tree."""
    open: dict[int, PicturedCall] = field(default_factory=dict)
    last_ms: int = 0
    _free: list[int] = field(default_factory=list)

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.lane.depth + 1

    @property
    def ended(self) -> Ended | None:
        """How it ended; None for the root, of which the run itself tells, and as long as it is under way."""
        return None if self.meta is None else _ENDED.get(self.meta.status)

    @property
    def place(self) -> tuple[int, int]:
        """What lanes of one parent are sorted by."""
        return (0, 0) if self.meta is None else (self.meta.parent_seq, self.meta.index)

    @property
    def begin_ms(self) -> int:
        """When it began: when it made its first call (branches may wait for their turn), else when its clock began."""
        first = next(iter(self.calls.values()), None)
        if first is not None:
            return first.begin_ms
        return 0 if self.meta is None else self.meta.epoch_ms + self.later_ms

    def within(self) -> Iterator["PicturedLane"]:
        """Itself and all lanes inside, in the order of the tree."""
        waiting = [self]
        while waiting:
            lane = waiting.pop()
            yield lane
            waiting += reversed(lane.inside)

    def begin(self, started: Started, place: int | None, later_ms: int) -> PicturedCall | None:
        """Take a call; None when it is known already. Only then its ``place`` may be new."""
        known = self.calls.get(started.ordinal)
        if known is not None:
            known.started = place if known.started is None else known.started
            return None
        begin_ms, began_ms = started.at_ms + later_ms, started.at_ms
        call = PicturedCall(
            self, started.ordinal, started.seq, started.function, started.parent_seq, begin_ms, began_ms, place
        )
        if started.args:
            call.name_by(started.args)
        self.calls[call.ordinal] = self.open[call.ordinal] = call
        self._give_row(call)
        self.last_ms = max(self.last_ms, call.begin_ms)
        return call

    def end(self, settled: Settled, place: int, *, recorded: bool, later_ms: int) -> PicturedCall:
        """Take what a call came to; ``recorded`` when another run or an imported record says so.

        Raises:
            StoreError: it was never made.
        """
        call = self.calls.get(settled.ordinal)
        if call is None:
            raise never_made(call_path(self.path, settled.ordinal))
        if self.open.pop(call.ordinal, None) is None:
            raise _ended_twice(call.path)
        call.settled, call.index = place, settled.index
        call.end_ms, call.ended_ms = max(call.begin_ms, settled.at_ms + later_ms), settled.at_ms
        call.ended = "cancelled" if settled.cancelled is not None else "done" if settled.error is None else "failed"
        call.error = error_text(settled)
        call.wait_ms = waited_ms(call.function, call.end_ms - call.begin_ms, settled)
        usage = settled.token_usage or {}
        call.input_tokens, call.output_tokens = usage.get("input_tokens"), usage.get("output_tokens")
        self.rows[call.row].ended(call, recorded)
        heappush(self._free, call.row)
        self.last_ms = max(self.last_ms, call.end_ms)
        return call

    def _give_row(self, call: PicturedCall) -> None:
        """The first row that is free at that time; times of an imported run need not go on with those before."""
        refused: list[int] = []
        chosen = None
        while chosen is None and self._free and len(refused) < _ROWS_TRIED:
            row = heappop(self._free)
            last = self.rows[row].calls[-1]
            if last.end_ms is not None and last.end_ms <= call.begin_ms:
                chosen = row
            else:
                refused.append(row)
        for row in refused:
            heappush(self._free, row)
        if chosen is None:
            chosen = len(self.rows)
            self.rows.append(Row())
        call.row = chosen
        self.rows[chosen].calls.append(call)


def _ended_twice(path: str) -> StoreError:
    return StoreError(
        f"call {path} has two results: the run's journal is damaged",
        hint="restore the store from a backup, or start the run anew",
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
