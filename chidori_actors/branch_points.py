"""Where a branch from history leaves its parent: the call that answers differently, looked for and checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .edited_results import check_result
from .errors import StoreError, UsageError
from .journal.actors import ActorMeta, run_actors
from .journal.bases import lane_base
from .journal.blobs import DAMAGED_HINT
from .journal.lanes import RUN_LANES, Entry, Settled, Started, last_counters, read_lane
from .journal.records import call_path
from .journal.runs import RunMeta, get_run
from .journal.store import Store
from .journal.tree import RunTree, read_tree
from .turns import Turns


@dataclass(frozen=True, slots=True)
class Edit:
    """What the call with number ``at`` answers in the branch: ``result`` (JSON text), or an error with the message
    ``error``. ``note`` says why; it is kept in the call's record."""

    at: int
    result: bytes | None = None
    error: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if (self.result is None) == (self.error is None):
            raise UsageError("a branch needs what the call answers instead: either a result or an error")


@dataclass(frozen=True, slots=True)
class Target:
    """The settlement that is replaced, at ``place`` of ``lane``."""

    lane: int
    place: int
    call: Started
    settled: Settled

    @property
    def index(self) -> int:
        """The cut."""
        return self.settled.index


AFTER_ALL = 1 << 62
THE_END = Target(-1, 0, Started(0, 0, 0, "", b"", 0), Settled(0, AFTER_ALL, 0, 0.0))
"""The target of a branch that shares everything."""


@dataclass(slots=True)
class History:
    """The lanes and actors of a run as they were written. Results are left out."""

    store: Store
    meta: RunMeta
    actors: list[ActorMeta] = field(init=False)
    _lanes: dict[int, list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.actors = run_actors(self.store, self.meta.lane)

    def entries(self, lane: int) -> list[Entry]:
        """The entries of a lane."""
        if lane not in self._lanes:
            self._lanes[lane] = [without_result(entry) for entry in read_lane(self.store, lane)]
        return self._lanes[lane]

    async def read(self, lane: int) -> list[Entry]:
        """The same of a lane that may be long, in slices: others have their turns meanwhile."""
        if lane not in self._lanes:
            entries, turns = [], Turns()
            for entry in read_lane(self.store, lane):
                entries.append(without_result(entry))
                await turns.over()
            self._lanes[lane] = entries
        return self._lanes[lane]

    def highest_seq(self) -> int:
        """The highest number that the run has given to a call."""
        lanes = (self.meta.lane, *(actor.lane for actor in self.actors))
        in_lanes = (last_counters(self.store, lane)[0] for lane in lanes)
        return max(self.meta.call_count, *in_lanes, *(actor.seq for actor in self.actors))


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """Where a run that was asked for a branch has it leave.

    ``origin`` is that run, or one that it is a branch of; ``target`` is the end of the call there. ``shared_calls`` are
    in the branch's record to begin with. ``asked`` is the tree of the run that was asked, results left out.
    """

    origin: History
    target: Target
    shared_calls: int
    asked: RunTree


async def find_branch_point(store: Store, run: RunMeta, edit: Edit) -> BranchPoint:
    """The run that the call's end is of, ``run`` or one that it is a branch of, and that end.

    Raises:
        UsageError: no such call, or it has no result that could be another; a result that cannot be one of that call.
        RunNotFound: a run was removed meanwhile.
        StoreError: an entry is missing or damaged.
    """
    asked = await read_tree(store, run, revise=without_result)
    offset, call, settled = _call_and_end(asked, run, edit.at)
    check_result(call, edit.result)
    parent = run
    while True:
        history, lane = History(store, parent), parent.lane + offset
        await history.read(parent.lane)
        place = _own_place(store, lane, await history.read(lane), settled)
        if place is not None:
            target = Target(lane, place, call, settled)
            tree = asked if parent is run else await read_tree(store, parent, revise=without_result)
            return BranchPoint(history, target, _shared_calls(history, target, tree), asked)
        if parent.branch is None:
            raise StoreError(
                f"run {parent.id} does not have call #{edit.at}, which its branches share with it", hint=DAMAGED_HINT
            )
        # Of the actors that had ended before it left its parent only the parent knows.
        parent = get_run(store, parent.branch["parent_run_id"])


def _own_place(store: Store, lane: int, entries: Sequence[Entry], settled: Settled) -> int | None:
    """Where the settlement stands among a lane's own entries; None when another lane shares it, or it is not there."""
    base = lane_base(store, lane)
    # A retry may have taken back one with the same number: the last one counts.
    for place in range(len(entries) - 1, (0 if base is None else base.length) - 1, -1):
        entry = entries[place]
        if isinstance(entry, Settled) and (entry.ordinal, entry.index) == (settled.ordinal, settled.index):
            return place
    return None


def without_result(entry: Entry) -> Entry:
    """The entry, its result left out."""
    # All results of a long run at once could take more memory than there is.
    return replace(entry, value=b"") if isinstance(entry, Settled) and entry.value is not None else entry


def _call_and_end(tree: RunTree, run: RunMeta, seq: int) -> tuple[int, Started, Settled]:
    """The call, how it ended, and which of a run's lanes it is in: the same one in a run and in its branches."""
    found = tree.call(seq)
    if found is not None:
        actor, call, settled = found
        if settled is None:
            raise _unusable(run, call, "has not ended: there is no result that could be replaced")
        if not settled.delivered:
            raise _unusable(run, call, "was cancelled: the agent never saw a result of it")
        return actor.lane % RUN_LANES, call, settled
    if 1 <= seq <= run.call_count:
        raise UsageError(
            f"call #{seq} is not part of run {run.id} any more: a resume took it back, or it came after the call at "
            "which the run branched off",
            hint=f"choose a call that counts: `chidori trace {run.id}` lists them",
        )
    raise no_such_call(run, seq)


def no_such_call(run: RunMeta, seq: int) -> UsageError:
    """The error for a number that the run never gave to a call."""
    return UsageError(f"run {run.id} has no call #{seq}", hint=f"`chidori trace {run.id}` lists its calls")


def _unusable(run: RunMeta, call: Started, why: str) -> UsageError:
    return UsageError(
        f"call #{call.seq} ({call.function}) of run {run.id} {why}",
        hint=f"choose a call that ended: `chidori trace {run.id}` lists them",
    )


def _shared_calls(history: History, target: Target, tree: RunTree) -> int:
    """How many calls are in a branch's record to begin with: the target and those that had ended before it, but for
    those inside of it, which go with the result that they led to."""
    caller = next((actor.path for actor in history.actors if actor.lane == target.lane), "")
    inside = call_path(caller, target.call.ordinal) + "/"
    kept = (actor for actor in tree.actors if not f"{actor.path}/".startswith(inside))
    return 1 + sum(len(actor.settled_before(target.index)) for actor in kept)
