"""What a branch from history would share, make again, and may do, before it is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import exact_json
from .branch_points import BranchPoint
from .branching import calls_made_again
from .edited_results import ResultKind, result_kind
from .host.http_request import IDEMPOTENT_METHODS
from .journal.lanes import Entry, Started
from .journal.tree import TreeActor
from .totals import Totals

_MOST_EFFECTS = 50
_MEMORY_WRITES = ("set", "delete", "clear")

_Changes = Callable[[Mapping[str, Any]], bool]
_EFFECTS: Mapping[str, _Changes] = {
    "http": lambda args: str(args.get("method") or "GET").upper() not in IDEMPOTENT_METHODS,
    "tool": lambda args: True,
    "memory": lambda args: args.get("action") in _MEMORY_WRITES,
}
"""The functions that may change something outside of the run, and with which args they do."""


@dataclass(frozen=True, slots=True)
class BranchPreview:
    """``in_flight`` are made again; ``after`` sums up what the run did itself from the cut on, of which the calls
    ``side_effects`` (the first of them) may have changed something outside. ``choices`` are those of an input."""

    in_flight: Sequence[Started]
    after: Totals
    side_effects: Sequence[Started]
    kind: ResultKind
    choices: Sequence[str] | None


def preview_branch(point: BranchPoint) -> BranchPreview:
    """What a branch that leaves its parent there is about to do.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    after, effects = Totals(), list[Started]()
    for actor in point.asked.actors:
        entries = _from_the_cut_on(actor, point)
        after.add(entries)
        effects += (entry for entry in entries if isinstance(entry, Started) and _has_effects(entry))
    call = point.target.call
    choices = exact_json.loads(call.args).get("choices") if call.function == "input" else None
    effects.sort(key=lambda each: each.seq)
    return BranchPreview(calls_made_again(point), after, effects[:_MOST_EFFECTS], result_kind(call), choices)


def _from_the_cut_on(actor: TreeActor, point: BranchPoint) -> list[Entry]:
    settled, cut = actor.settled, point.target.index
    calls = [call for call in actor.calls if call.ordinal not in settled or settled[call.ordinal].index > cut]
    return [*calls, *(settled[call.ordinal] for call in calls if call.ordinal in settled)]


def _has_effects(call: Started) -> bool:
    changes = _EFFECTS.get(call.function)
    return changes is not None and changes(exact_json.loads(call.args))
