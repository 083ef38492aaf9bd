"""Branches from history: a run that begins as another one did, up to a call that answers differently.

The branch shares the other run's entries by reference: each of its lanes begins with a number of those of the lane that
it continues (``journal/bases``). Shared is what came before the settlement of the chosen call, whose index is the
*cut*; of any other lane the entries before its first settlement from the cut on, which the calls behind them led to.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .branch_points import AFTER_ALL, THE_END, BranchPoint, Edit, History, Target, find_branch_point, without_result
from .errors import NotResumable, RunNotFound
from .journal.actors import ActorMeta, actor_writes
from .journal.bases import base_write
from .journal.collection import drop_run_writes, runs_kept
from .journal.lanes import RUN_LANES, Entry, Settled, Started, apply_retries, encode_entry, new_lane
from .journal.runs import RunMeta, get_run, run_writes
from .journal.store import Fence, Store, Write
from .journal.tree import read_tree
from .policy import Profile, strictest_profile


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
    point = await find_branch_point(store, parent, edit)
    origin, target, shared_calls = point.origin, point.target, point.shared_calls
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
        lineage=None,
        branch={"parent_run_id": origin.meta.id, "at_seq": edit.at, "at_index": target.index}
        | ({} if edit.note is None else {"note": edit.note}),
    )
    shared = _share(origin, target, branch.lane - origin.meta.lane).writes
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
    history = History(store, parent)
    calls = (await read_tree(store, parent, revise=without_result)).calls_ended
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
        lineage=None,
        branch={"parent_run_id": parent.id, "at_seq": None, "at_index": AFTER_ALL},
    )
    shared = _share(history, THE_END, copy.lane - parent.lane).writes
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


def _edited(target: Target, edit: Edit) -> Settled:
    """Time and place in the order stay: the agent's clock is to show what it showed."""
    notes = {"edited": True} if edit.note is None else {"edited": True, "note": edit.note}
    error = None if edit.error is None else {"message": edit.error, "name": "Error", "data": {}}
    return replace(target.settled, value=edit.result, error=error, token_usage=None, notes=notes)


def calls_made_again(point: BranchPoint) -> list[Started]:
    """The calls that a branch shares and that had not ended where it leaves its parent, by their numbers: it makes them
    again. Calls that go on with what is inside of them are not among them."""
    shared = _share(point.origin, point.target, RUN_LANES)
    return sorted(shared.again, key=lambda call: call.seq)


@dataclass(slots=True)
class _Shared:
    """What a branch shares of a lane and of what is inside of it: the ``writes`` for it, whether anything of that is
    settled, and the calls that were under way."""

    writes: list[Write] = field(default_factory=list)
    settled: bool = False
    again: list[Started] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sharing:
    """Puts what a branch shares into lanes and actors of its own: those of ``history``, their lanes plus ``shift``."""

    history: History
    target: Target
    shift: int
    children: Mapping[tuple[int, int], Sequence[ActorMeta]]

    def lane(self, lane: int) -> _Shared:
        """What it shares of a lane and of what is inside of it."""
        entries = self.history.entries(lane)
        at = self.target.place if lane == self.target.lane else _length_before(entries, self.target.index)
        shared = entries[:at]
        found = _Shared([base_write(lane + self.shift, lane, at)] if shared else [])
        found.settled = lane == self.target.lane or any(isinstance(entry, Settled) for entry in shared)
        effective = apply_retries(shared)
        ended = {entry.ordinal for entry in effective if isinstance(entry, Settled)}
        for call in _unanswered(effective):
            if call.seq == self.target.call.seq:
                continue
            goes_on = False
            for actor in self.children.get((lane, call.seq), ()):
                inside = self._actor(actor)
                found.writes += inside.writes
                found.again += inside.again
                goes_on = goes_on or bool(inside.writes)
            found.settled = found.settled or goes_on
            if not goes_on and call.ordinal not in ended:
                found.again.append(call)
        return found

    def _actor(self, actor: ActorMeta) -> _Shared:
        """What it shares of an actor; no writes when the branch may just as well start it anew."""
        ended = actor.status != "running" and actor.ended is not None and actor.ended < self.target.index
        shared = self.lane(actor.lane)
        # It may not even have begun, where only some actors of a call run at once.
        if not ended and not shared.settled:
            return replace(shared, writes=[])
        moved = replace(actor, lane=actor.lane + self.shift, parent_lane=actor.parent_lane + self.shift)
        if not ended:
            moved = replace(moved, status="running", output=None, error=None, failed_ordinal=None, ended=None, seq=0)
        return replace(shared, writes=[*actor_writes(moved), *shared.writes])


def _share(history: History, target: Target, shift: int) -> _Shared:
    """All lanes and actors of a branch, but for the settlement that is replaced."""
    children: defaultdict[tuple[int, int], list[ActorMeta]] = defaultdict(list)
    for actor in history.actors:
        children[actor.parent_lane, actor.parent_seq].append(actor)
    return _Sharing(history, target, shift, children).lane(history.meta.lane)


def _length_before(entries: Sequence[Entry], index: int) -> int:
    """How many entries come before the first settlement with that index or a higher one."""
    found = (place for place, entry in enumerate(entries) if isinstance(entry, Settled) and entry.index >= index)
    return next(found, len(entries))


def _unanswered(entries: Sequence[Entry]) -> list[Started]:
    """The calls that may have to go on with the actors inside of them: those under way, and those that a resume can
    still take back, which failed or were cancelled. ``entries`` are those that count."""
    answered = {entry.ordinal for entry in entries if isinstance(entry, Settled) and entry.value is not None}
    return [entry for entry in entries if isinstance(entry, Started) and entry.ordinal not in answered]
