"""Taking back what ended a failed run, in every actor that it ended."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import ChidoriError
from .journal.actors import ActorMeta, actor_writes, run_actors
from .journal.bundles import bundle_write
from .journal.forks import fork_write, get_fork
from .journal.images import drop_images
from .journal.lanes import Entry, Retried, Settled, Started, apply_retries, encode_entry, lane_length, read_lane
from .journal.runs import RunMeta, run_writes
from .journal.store import Store, Write
from .languages.bundle import Bundle
from .session.outcome import BOUND_EXCEEDED
from .vm.machine import inherited_key, parents_key


def reopen(store: Store, meta: RunMeta, changed: Bundle | None) -> tuple[RunMeta, list[Write]]:
    """The run as one that is under way again, and the writes that make it so, all for one transaction.

    The call whose error ended a failed run is made again, in the actor in which it was made. ``changed`` is the source
    that takes the place of the recorded one; the VMs of the run are then made anew from its record.

    Raises:
        ChidoriError: the agent's own code ended the run, and would again.
        StoreError: an entry is missing or damaged.
    """
    now_ms = int(time.time() * 1000)
    actors = run_actors(store, meta.lane)
    work = _Reopening(store, actors, now_ms, changed is not None)
    if meta.status == "failed":
        work.take_back(meta.lane, meta.error, meta.failed_ordinal, f"run {meta.id}")
    if changed is not None:
        for lane in (meta.lane, *(actor.lane for actor in actors if actor.status == "running")):
            work.forget_images(lane)
    reopened = replace(meta, status="running", error=None, failed_ordinal=None, updated_at_ms=now_ms)
    reopened = replace(reopened, tries=meta.tries + 1 if meta.status == "running" else 0)
    if changed is not None:
        digest, write = bundle_write(changed.to_json())
        work.writes.append(write)
        reopened = replace(reopened, bundle=digest)
    # Its questions are asked anew. After a crash none may look open whose call has been made meanwhile.
    return reopened, [*work.writes, *run_writes(replace(reopened, pending=()), new=False)]


@dataclass(slots=True)
class _Reopening:
    store: Store
    actors: Sequence[ActorMeta]
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
        by_bound = error is not None and error.get("name") == BOUND_EXCEEDED
        if failed is None and not by_bound and not self.changed:
            raise ChidoriError(
                f"{what} was ended by its agent's own code, not by a call: it would fail again",
                hint="mend the source and resume with --allow-source-change; recorded calls are not made again",
            )
        self._retry(lane, failed, _branch_of(error), what)

    def _retry(self, lane: int, failed: int | None, branch: int | None, what: str) -> None:
        if (lane, failed) in self.retried:
            return
        self.retried.add((lane, failed))
        entries = self._entries(lane)
        ender = self._ended_by(entries, failed, branch)
        if ender is not None:
            self._restart(ender, what)
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
                parent = next(actor.parent_lane for actor in self.actors if actor.lane == lane)
                self._retry(parent, parents_key(failed), None, what)
            self._retry_in_branches(lane, inherited_key(failed), what)

    def _retry_in_branches(self, lane: int, key: int, what: str) -> None:
        """What is taken back in the parent ``lane`` was passed on to branches, under ``key``: those that go on wait for
        it anew. A branch that completed with it stays as it is."""
        for branch in self.actors:
            if branch.parent_lane != lane or branch.kind != "branch" or branch.status == "completed":
                continue
            if branch.status == "failed":
                if self._is_ended_by(branch, key):
                    self._restart(branch, what)
            elif any(isinstance(entry, Settled) and entry.ordinal == key for entry in self._entries(branch.lane)):
                self._retry(branch.lane, key, None, what)

    def _is_ended_by(self, actor: ActorMeta, key: int) -> bool:
        """Whether the call of its parent with that key ended the branch, or a branch inside of it."""
        if actor.failed_ordinal == key:
            return True
        ender = self._ended_by(self._entries(actor.lane), actor.failed_ordinal, _branch_of(actor.error))
        return ender is not None and ender.kind == "branch" and self._is_ended_by(ender, inherited_key(key))

    def _ended_by(self, entries: Sequence[Entry], ordinal: int | None, branch: int | None) -> ActorMeta | None:
        """The actor whose failure was that of the call; of several the one that failed first, unless it is known which
        ``branch`` it was."""
        call = next((entry for entry in entries if isinstance(entry, Started) and entry.ordinal == ordinal), None)
        inside = () if call is None else (actor for actor in self.actors if actor.parent_seq == call.seq)
        failed = (actor for actor in inside if actor.status == "failed")
        return min(failed, key=lambda actor: (actor.index != branch, actor.ended or 0), default=None)

    def _restart(self, actor: ActorMeta, what: str) -> None:
        """Take back what ended a failed actor."""
        self.take_back(actor.lane, actor.error, actor.failed_ordinal, what)
        self.writes += actor_writes(replace(actor, status="running", error=None, failed_ordinal=None, ended=None))

    def _entries(self, lane: int) -> list[Entry]:
        return apply_retries(read_lane(self.store, lane))

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
