"""Taking back what ended a failed run, in every actor that it ended."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import NotResumable
from .journal.actors import ActorMeta, actor_writes, run_actors
from .journal.bundles import bundle_write
from .journal.call_count import has_progressed, recorded_calls
from .journal.events import last_event
from .journal.forks import fork_write, get_fork
from .journal.images import drop_images
from .journal.lanes import Entry, Retried, Settled, Started, apply_retries, encode_entry, lane_length, read_lane
from .journal.runs import RunMeta, run_writes
from .journal.store import Store, Write
from .languages.bundle import Bundle
from .session.outcome import Failed
from .vm.machine import inherited_key, parents_key


def reopen(store: Store, meta: RunMeta, changed: Bundle | None) -> tuple[RunMeta, list[Write]]:
    """The run as one that is under way again, and the writes that make it so, all for one transaction.

    The call whose error ended a failed run is made again, in the actor in which it was made. ``changed`` is the source
    that takes the place of the recorded one; the VMs of the run are then made anew from its record.

    Raises:
        NotResumable: the agent's own code ended the run, and would again.
        StoreError: an entry is missing or damaged.
    """
    now_ms = int(time.time() * 1000)
    # A run that goes on as it stands needs none of what its actors gave, which may be a lot.
    actors = run_actors(store, meta.lane) if meta.status == "failed" or changed is not None else []
    inside: defaultdict[int, list[ActorMeta]] = defaultdict(list)
    for actor in actors:
        inside[actor.parent_lane].append(actor)
    parents = {actor.lane: actor.parent_lane for actor in actors}
    work = _Reopening(store, parents, inside, now_ms, changed is not None)
    if meta.status == "failed":
        work.take_back(meta.lane, meta.error, meta.failed_ordinal, f"run {meta.id}")
    if changed is not None:
        work.forget_images(meta.lane)
        for actor in actors:
            if actor.status != "completed":
                work.forget_images(actor.lane)
            if actor.status in ("running", "cancelled"):
                work.writes += actor_writes(work.with_changed_source(actor))
    reopened = replace(
        meta,
        status="running",
        error=None,
        failed_ordinal=None,
        updated_at_ms=now_ms,
        tries=_tries(store, meta),
        calls=recorded_calls(store, meta),
        counted_events=last_event(store, meta.lane),
    )
    if changed is not None:
        digest, write = bundle_write(changed.to_json())
        work.writes.append(write)
        reopened = replace(reopened, bundle=digest)
    # Its questions are asked anew. After a crash none may look open whose call has been made meanwhile.
    return reopened, [*work.writes, *run_writes(replace(reopened, pending=()), new=False)]


def fails_again(error: Mapping[str, Any] | None, failed: int | None) -> bool:
    """Whether a failed run, or an actor inside of one, would end the same way again with the same source: no call,
    which would be ``failed``, ended it."""
    return failed is None and Failed(dict(error or {})).is_own_code


def _tries(store: Store, meta: RunMeta) -> int:
    """``RunMeta.tries`` of the life that begins now."""
    return 1 if meta.status != "running" or has_progressed(store, meta) else meta.tries + 1


@dataclass(slots=True)
class _Reopening:
    store: Store
    parents: Mapping[int, int]
    """The lane of the parent of each lane but the root's."""
    inside: Mapping[int, Sequence[ActorMeta]]
    """The actors that were started in a lane."""
    now_ms: int
    changed: bool
    writes: list[Write] = field(default_factory=list)
    appended: dict[int, int] = field(default_factory=dict)
    """The lengths that lanes will have."""
    unseen: dict[int, int] = field(default_factory=dict)
    """How many settlements a lane's images may have been given."""
    retried: set[tuple[int, int | None]] = field(default_factory=set)
    """Lanes and ordinals of the calls that are taken back."""

    def take_back(self, lane: int, error: Mapping[str, Any] | None, failed: int | None, what: str) -> None:
        """Take back the outcome of the call ``failed``, whose error ended the actor of that lane."""
        if fails_again(error, failed) and not self.changed:
            raise NotResumable(
                f"{what} was ended by its agent's own code, not by a call: it would fail again",
                hint="mend the source and resume with --allow-source-change; recorded calls are not made again",
            )
        self._retry(lane, failed, _branch_of(error), what)

    def _retry(self, lane: int, failed: int | None, branch: int | None, what: str) -> None:
        if (lane, failed) in self.retried:
            return
        self.retried.add((lane, failed))
        entries = self._entries(lane)
        ender = self._ended_by(lane, entries, failed, branch)
        if ender is not None:
            self._restart(ender, what)
            self._restart_unseen(ender, entries, failed, what)
        at = self.appended.get(lane, lane_length(self.store, lane))
        self.appended[lane] = at + 1
        self.writes += encode_entry(lane, at, Retried(failed or 0, self.now_ms))
        if failed is not None:
            # Later images have seen the answer that is taken back.
            before = _delivered_before(entries, failed)
            self.unseen[lane] = min(before, self.unseen.get(lane, before))
            self.writes += drop_images(self.store, lane, after=self.unseen[lane])
            if failed < 0:
                # A call of its parent ended a branch: it is made again there, and its outcome passed on anew.
                self._retry(self.parents[lane], parents_key(failed), None, what)
            self._retry_in_branches(lane, entries, inherited_key(failed), what)

    def _retry_in_branches(self, lane: int, entries: Sequence[Entry], key: int, what: str) -> None:
        """What is taken back in the parent ``lane`` was passed on to branches, under ``key``: those that go on wait for
        it anew, those that it ended too. What completed with it stays as it is."""
        calls = {entry.seq: entry.ordinal for entry in entries if isinstance(entry, Started)}
        ends = {entry.ordinal: entry for entry in entries if isinstance(entry, Settled) and entry.delivered}
        for branch in self.inside.get(lane, ()):
            if branch.kind != "branch" or branch.status == "completed":
                continue
            if branch.status == "failed":
                call = calls.get(branch.parent_seq)
                end = None if call is None else ends.get(call)
                if (end is None or end.error is not None) and self._is_ended_by(branch, key):
                    self._restart(branch, what)
                    if end is not None:
                        self._retry(lane, call, branch.index, what)
            elif any(isinstance(entry, Settled) and entry.ordinal == key for entry in self._entries(branch.lane)):
                self._retry(branch.lane, key, None, what)

    def _is_ended_by(self, actor: ActorMeta, key: int) -> bool:
        """Whether the call of its parent with that key ended the branch, or a branch inside of it."""
        if actor.failed_ordinal == key:
            return True
        ender = self._ended_by(actor.lane, self._entries(actor.lane), actor.failed_ordinal, _branch_of(actor.error))
        return ender is not None and ender.kind == "branch" and self._is_ended_by(ender, inherited_key(key))

    def _ended_by(
        self, lane: int, entries: Sequence[Entry], ordinal: int | None, branch: int | None
    ) -> ActorMeta | None:
        """The actor whose failure was that of the call in ``lane``; of several the one that failed first, unless it is
        known which ``branch`` it was."""
        seqs = [entry.seq for entry in entries if isinstance(entry, Started) and entry.ordinal == ordinal]
        inside = (actor for actor in self.inside.get(lane, ()) if actor.parent_seq in seqs)
        failed = (actor for actor in inside if actor.status == "failed")
        return min(failed, key=lambda actor: (actor.index != branch, actor.ended or 0), default=None)

    def _restart(self, actor: ActorMeta, what: str) -> None:
        """Take back what ended a failed actor."""
        self.take_back(actor.lane, actor.error, actor.failed_ordinal, what)
        going_on = replace(actor, status="running", error=None, failed_ordinal=None, ended=None)
        self.writes += actor_writes(self.with_changed_source(going_on))

    def _restart_unseen(self, ender: ActorMeta, entries: Sequence[Entry], ordinal: int | None, what: str) -> None:
        """Of several failures at once the call failed with one. Nobody was told of the others, which would only end it
        again: those actors are made to go on too, unless it is their own code that failed."""
        if not any(isinstance(entry, Settled) and entry.ordinal == ordinal and entry.error for entry in entries):
            return
        for actor in self.inside[ender.parent_lane]:
            beside = actor.parent_seq == ender.parent_seq and actor.status == "failed" and actor is not ender
            if beside and (self.changed or not Failed(dict(actor.error or {}), actor.failed_ordinal).is_own_code):
                self._restart(actor, what)

    def _entries(self, lane: int) -> list[Entry]:
        return apply_retries(read_lane(self.store, lane))

    def with_changed_source(self, actor: ActorMeta) -> ActorMeta:
        """A sub-agent or tool that goes on is found anew when the source may have changed."""
        return replace(actor, bundle=None) if self.changed else actor

    def forget_images(self, lane: int) -> None:
        """The lane's VM, and its forks, are made anew from the record."""
        self.writes += drop_images(self.store, lane, after=-1)
        for entry in read_lane(self.store, lane):
            if isinstance(entry, Started) and (fork := get_fork(self.store, lane, entry.seq)) is not None:
                self.writes.append(fork_write(lane, entry.seq, fork.delivered, fork.header, None))


def _branch_of(error: Mapping[str, Any] | None) -> int | None:
    """A settled `parallel` names every failure with its branch, and the agent may have thrown any of them."""
    branch: int | None = (error or {}).get("data", {}).get("branch")
    return branch


def _delivered_before(entries: Sequence[Entry], ordinal: int) -> int:
    """How many settlements were given to the VM before that of the call."""
    delivered = 0
    for entry in entries:
        if isinstance(entry, Settled) and entry.delivered:
            if entry.ordinal == ordinal:
                break
            delivered += 1
    return delivered
