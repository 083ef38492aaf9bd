"""Branches from history: a run that begins as another one did, up to a call that answers differently.

The branch shares the other run's entries by reference: each of its lanes begins with a number of those of the lane that
it continues (``journal/bases``). Shared is what came before the settlement of the chosen call, whose index is the
*cut*; of any other lane the entries before its first settlement from the cut on, which the calls behind them led to.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .edited_results import check_result
from .errors import NotResumable, RunNotFound, StoreError, UsageError
from .journal.actors import ActorMeta, actor_writes, run_actors
from .journal.bases import base_write
from .journal.blobs import DAMAGED_HINT
from .journal.collection import drop_run_writes, runs_kept
from .journal.lanes import (
    RUN_LANES,
    Entry,
    Settled,
    Started,
    apply_retries,
    encode_entry,
    last_counters,
    new_lane,
    read_lane,
)
from .journal.records import call_path
from .journal.runs import RunMeta, get_run, run_writes
from .journal.store import Fence, Store, Write
from .journal.tree import run_tree
from .policy import Profile, strictest_profile


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


async def make_branch(
    store: Store,
    parent: RunMeta,
    edit: Edit,
    fence: Fence,
    now_ms: int,
    *,
    served: bool = False,
    profile: Profile | None = None,
) -> RunMeta:
    """Store the run that ``fence`` is of as a branch of ``parent``, ready to go on. ``now_ms`` is since 1970.
    ``served``: a server makes it. ``profile`` is what it is to be held to at least, besides what ``parent`` is.

    A call that ``parent`` shares with the run that it is a branch of itself makes a branch of that one, with its
    source. Neither memory, which belongs to the project, nor approvals and open questions are taken along.

    Raises:
        UsageError: no such call, or it has no result that could be another; a result that cannot be one of that call.
        RunNotFound: ``parent`` was removed meanwhile.
        StoreError: an entry is missing or damaged, or nothing can be written.
    """
    origin, target = _find(store, parent, edit.at)
    check_result(target.call, edit.result)
    shared_calls = _shared_calls(origin, target)
    branch = replace(
        origin.meta,
        id=fence.run_id,
        status="running",
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        lane=await new_lane(store, fence.run_id, above=origin.meta.lane),
        output=None,
        error=None,
        # What is shared has numbers up to this one, also where the branch has no lane of its own.
        call_count=origin.highest_seq(),
        replayed_calls=shared_calls,
        calls=shared_calls,
        counted_events=0,
        pending=(),
        failed_ordinal=None,
        origin_run_id=None,
        served=served,
        tries=1,
        idempotency_key=None,
        # `parent` may be held to more than the run whose call it shares.
        policy_profile=strictest_profile(origin.meta.policy_profile, parent.policy_profile, profile),
        branch={"parent_run_id": origin.meta.id, "at_seq": edit.at, "at_index": target.index},
    )
    shared = _shared_writes(origin, target, branch.lane - origin.meta.lane)
    edited = encode_entry(target.lane + branch.lane - origin.meta.lane, target.place, _edited(target, edit))
    await _store(store, branch, origin.meta.id, [*shared, *edited], fence)
    return branch


async def make_copy(store: Store, parent: RunMeta, fence: Fence, now_ms: int, *, served: bool = False) -> RunMeta:
    """Store the run that ``fence`` is of with the whole record of ``parent``, by reference, and as it stands.
    ``served``: a server makes it.

    Raises:
        NotResumable: ``parent`` is under way, or was interrupted.
        RunNotFound: ``parent`` was removed meanwhile.
        StoreError: an entry is missing or damaged, or nothing can be written.
    """
    check_at_rest(parent)
    lane = await new_lane(store, fence.run_id, above=parent.lane)
    history = _History(store, parent)
    calls = run_tree(store, parent).calls_ended
    copy = replace(
        parent,
        id=fence.run_id,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        lane=lane,
        call_count=history.highest_seq(),
        replayed_calls=calls,
        calls=calls,
        counted_events=0,
        served=served,
        tries=0,
        idempotency_key=None,
        branch={"parent_run_id": parent.id, "at_seq": None, "at_index": _AFTER_ALL},
    )
    shared = _shared_writes(history, _THE_END, copy.lane - parent.lane)
    # Its record must not have grown while it was read: whoever goes on with a run says so in the store first.
    check_at_rest(get_run(store, parent.id), before=parent)
    await _store(store, copy, parent.id, shared, fence)
    return copy


def check_at_rest(run: RunMeta, *, before: RunMeta | None = None) -> None:
    """Whether the run has a record that stays as it is; ``before``: and has had it since then.

    Raises:
        NotResumable: it has not.
    """
    if run.status == "running" or (before is not None and run != before):
        raise NotResumable(
            f"run {run.id} is running: only what is at rest can be replayed",
            hint="wait until it ends or pauses; one that was interrupted is continued by a resume",
        )


async def _store(store: Store, branch: RunMeta, parent_id: str, writes: Sequence[Write], fence: Fence) -> None:
    await store.commit([*writes, *run_writes(branch, new=True)], fence=fence)
    try:
        async with runs_kept(store):
            # Garbage collection may have dropped it just before that commit; from then on it keeps it.
            get_run(store, parent_id)
    except RunNotFound:
        await store.commit(drop_run_writes(store, branch), fence=fence)
        raise


@dataclass(frozen=True, slots=True)
class _Target:
    """The settlement that is replaced, at ``place`` of ``lane``."""

    lane: int
    place: int
    call: Started
    settled: Settled

    @property
    def index(self) -> int:
        """The cut."""
        return self.settled.index


_AFTER_ALL = 1 << 62
_THE_END = _Target(-1, 0, Started(0, 0, 0, "", b"", 0), Settled(0, _AFTER_ALL, 0, 0.0))


@dataclass(slots=True)
class _History:
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
            # All results of a long run at once could take more memory than there is.
            self._lanes[lane] = [
                replace(entry, value=b"") if isinstance(entry, Settled) and entry.value is not None else entry
                for entry in read_lane(self.store, lane)
            ]
        return self._lanes[lane]

    def highest_seq(self) -> int:
        """The highest number that the run has given to a call."""
        lanes = (self.meta.lane, *(actor.lane for actor in self.actors))
        in_lanes = (last_counters(self.store, lane)[0] for lane in lanes)
        return max(self.meta.call_count, *in_lanes, *(actor.seq for actor in self.actors))


def _find(store: Store, run: RunMeta, seq: int) -> tuple[_History, _Target]:
    """The run that the call's end is of, ``run`` or one that it is a branch of, and that end.

    Raises:
        UsageError: there is none that could be another.
    """
    offset, call, settled = _call_and_end(store, run, seq)
    while run.branch is not None and settled.index < run.branch["at_index"]:
        # Of the actors that had ended before it left its parent only the parent knows.
        run = get_run(store, run.branch["parent_run_id"])
    history = _History(store, run)
    lane = run.lane + offset
    for place, entry in enumerate(history.entries(lane)):
        if isinstance(entry, Settled) and entry.index == settled.index:
            return history, _Target(lane, place, call, settled)
    raise StoreError(f"run {run.id} does not have call #{seq}, which its branches share with it", hint=DAMAGED_HINT)


def _call_and_end(store: Store, run: RunMeta, seq: int) -> tuple[int, Started, Settled]:
    """The call, how it ended, and which of a run's lanes it is in: the same one in a run and in its branches."""
    for actor in run_tree(store, run).actors:
        call = next((call for call in actor.calls if call.seq == seq), None)
        if call is None:
            continue
        settled = actor.settled.get(call.ordinal)
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
    raise UsageError(f"run {run.id} has no call #{seq}", hint=f"`chidori trace {run.id}` lists its calls")


def _unusable(run: RunMeta, call: Started, why: str) -> UsageError:
    return UsageError(
        f"call #{call.seq} ({call.function}) of run {run.id} {why}",
        hint=f"choose a call that ended: `chidori trace {run.id}` lists them",
    )


def _edited(target: _Target, edit: Edit) -> Settled:
    """Time and place in the order stay: the agent's clock is to show what it showed."""
    notes = {"edited": True} if edit.note is None else {"edited": True, "note": edit.note}
    error = None if edit.error is None else {"message": edit.error, "name": "Error", "data": {}}
    return replace(target.settled, value=edit.result, error=error, token_usage=None, notes=notes)


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Puts what a branch shares into lanes and actors of its own: those of ``history``, their lanes plus ``shift``."""

    history: _History
    target: _Target
    shift: int
    children: Mapping[tuple[int, int], Sequence[ActorMeta]]

    def lane(self, lane: int) -> tuple[list[Write], bool]:
        """The writes for a lane and for what is inside of it, and whether anything of that is settled."""
        entries = self.history.entries(lane)
        at = self.target.place if lane == self.target.lane else _length_before(entries, self.target.index)
        shared = entries[:at]
        writes = [base_write(lane + self.shift, lane, at)] if shared else []
        settled = lane == self.target.lane or any(isinstance(entry, Settled) for entry in shared)
        for seq in _unanswered(shared):
            if seq != self.target.call.seq:
                for actor in self.children.get((lane, seq), ()):
                    inside = self._actor(actor)
                    writes += inside
                    settled = settled or bool(inside)
        return writes, settled

    def _actor(self, actor: ActorMeta) -> list[Write]:
        """The writes for an actor; none when the branch may just as well start it anew."""
        ended = actor.status != "running" and actor.ended is not None and actor.ended < self.target.index
        writes, settled = self.lane(actor.lane)
        # It may not even have begun, where only some actors of a call run at once.
        if not ended and not settled:
            return []
        moved = replace(actor, lane=actor.lane + self.shift, parent_lane=actor.parent_lane + self.shift)
        if not ended:
            moved = replace(moved, status="running", output=None, error=None, failed_ordinal=None, ended=None, seq=0)
        return [*actor_writes(moved), *writes]


def _shared_writes(history: _History, target: _Target, shift: int) -> list[Write]:
    """All lanes and actors of a branch, but for the settlement that is replaced."""
    children: defaultdict[tuple[int, int], list[ActorMeta]] = defaultdict(list)
    for actor in history.actors:
        children[actor.parent_lane, actor.parent_seq].append(actor)
    return _Sharing(history, target, shift, children).lane(history.meta.lane)[0]


def _shared_calls(history: _History, target: _Target) -> int:
    """How many calls are in a branch's record to begin with: the target and those that had ended before it, but for
    those inside of it, which go with the result that they led to."""
    caller = next((actor.path for actor in history.actors if actor.lane == target.lane), "")
    inside = call_path(caller, target.call.ordinal) + "/"
    actors = run_tree(history.store, history.meta).actors
    kept = (actor for actor in actors if not f"{actor.path}/".startswith(inside))
    return 1 + sum(len(actor.settled_before(target.index)) for actor in kept)


def _length_before(entries: Sequence[Entry], index: int) -> int:
    """How many entries come before the first settlement with that index or a higher one."""
    found = (place for place, entry in enumerate(entries) if isinstance(entry, Settled) and entry.index >= index)
    return next(found, len(entries))


def _unanswered(entries: Sequence[Entry]) -> list[int]:
    """The calls, by their seqs, that may have to go on with the actors inside of them: those under way, and those that
    a resume can still take back, which failed or were cancelled."""
    effective = apply_retries(entries)
    answered = {entry.ordinal for entry in effective if isinstance(entry, Settled) and entry.value is not None}
    return [entry.seq for entry in effective if isinstance(entry, Started) and entry.ordinal not in answered]
