"""A discrete simulation of a cluster: hosts that work on sessions, batches to journal shards, transactions, answers."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .scale_model import Cluster, Load, Parts, predict, session_cost

_MAX_BATCH = 2000
_JITTER = 0.1
"""A call takes its latency, more or less up to this share of it: sessions must not run in step."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """``hosts_busy`` and ``shards_busy`` are shares of their time; ``batch`` is submissions in a transaction, and
    ``commit_ms`` how long one takes from submission to acknowledgement, on average.
    """

    sessions_per_second: float
    hosts_busy: float
    shards_busy: float
    batch: float
    commit_ms: float

    @property
    def limit(self) -> str:
        """What keeps it from doing more."""
        if max(self.hosts_busy, self.shards_busy) < 0.9:
            return "sessions under way"
        return "hosts" if self.hosts_busy >= self.shards_busy else "journal"


class _Clock:
    """Events in the order of their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0

    def after(self, us: float, happens: Callable[[], None]) -> None:
        self._made += 1
        heapq.heappush(self._events, (self.now + us, self._made, happens))

    def run(self, until_us: float) -> None:
        while self._events and self._events[0][0] <= until_us:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        self.now = until_us


class _Worker:
    """One processor: what it is given is done one after the other. ``busy_us`` counts what it has done."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._free_at = 0.0
        self.busy_us = 0.0

    def work(self, us: float, then: Callable[[], None]) -> None:
        self._free_at = max(self._free_at, self._clock.now) + us

        def done() -> None:
            self.busy_us += us
            then()

        self._clock.after(self._free_at - self._clock.now, done)


@dataclass(slots=True)
class _Submission:
    at_us: float
    then: Callable[[], None]


@dataclass(slots=True)
class _Batch:
    submissions: list[_Submission]
    answered: Callable[[], None]


class _Shard:
    """Takes all batches that have come into one transaction."""

    def __init__(self, clock: _Clock, parts: Parts, in_cluster: bool) -> None:
        self._clock = clock
        self._journal = parts.journal
        self._messaging = parts.messaging if in_cluster else None
        self._waiting: deque[_Batch] = deque()
        self._worker = _Worker(clock)
        self._at_work = False
        self.transactions = self.committed = 0
        self.waited_us = 0.0

    @property
    def busy_us(self) -> float:
        return self._worker.busy_us

    def receive(self, batch: _Batch) -> None:
        self._waiting.append(batch)
        if not self._at_work:
            self._begin()

    def _begin(self) -> None:
        taken: list[_Batch] = []
        count = 0
        while self._waiting and (not taken or count + len(self._waiting[0].submissions) <= _MAX_BATCH):
            taken.append(self._waiting.popleft())
            count += len(taken[-1].submissions)
        us = self._journal.transaction_us + count * self._journal.submission_us
        if self._messaging is not None:
            us += len(taken) * self._messaging.shard_batch_us + count * self._messaging.shard_submission_us
        self._at_work = True
        self._worker.work(us, lambda: self._end(taken, count))

    def _end(self, taken: list[_Batch], count: int) -> None:
        self._at_work = False
        self.transactions += 1
        self.committed += count
        for batch in taken:
            self.waited_us += sum(self._clock.now - submission.at_us for submission in batch.submissions)
            batch.answered()
        if self._waiting:
            self._begin()


class _Link:
    """From a host to a shard: one batch under way at a time, with everything that was submitted meanwhile."""

    def __init__(self, clock: _Clock, host: _Worker, shard: _Shard, parts: Parts, in_cluster: bool) -> None:
        self._clock = clock
        self._host = host
        self._shard = shard
        self._messaging = parts.messaging if in_cluster else None
        self._waiting: list[_Submission] = []
        self._under_way = False

    def submit(self, then: Callable[[], None]) -> None:
        self._waiting.append(_Submission(self._clock.now, then))
        if not self._under_way:
            self._under_way = True
            self._send()

    def _send(self) -> None:
        submissions, self._waiting = self._waiting[:_MAX_BATCH], self._waiting[_MAX_BATCH:]
        batch = _Batch(submissions, lambda: self._on_its_way(lambda: self._answered(submissions)))
        if self._messaging is None:
            self._shard.receive(batch)
            return
        us = self._messaging.host_batch_us + len(submissions) * self._messaging.host_submission_us
        self._host.work(us, lambda: self._on_its_way(lambda: self._shard.receive(batch)))

    def _on_its_way(self, arrives: Callable[[], None]) -> None:
        if self._messaging is None:
            arrives()
        else:
            self._clock.after(self._messaging.round_trip_us / 2, arrives)

    def _answered(self, submissions: list[_Submission]) -> None:
        for submission in submissions:
            submission.then()
        self._under_way = bool(self._waiting)
        if self._under_way:
            self._send()


class _Sessions:
    """The sessions of the cluster: where one ends the next begins. A branch's calls count as the session's."""

    def __init__(self, clock: _Clock, parts: Parts, load: Load, in_cluster: bool, seed: int) -> None:
        self._clock = clock
        self._random = random.Random(seed)
        self._latency_us = load.latency_ms * 1000
        whole = session_cost(parts, load)
        # A session's critical path has `calls` calls; what its branches do beside that is in the cost of each stage.
        self._calls = load.calls
        self._stages = max(load.calls + 1, round(whole.submissions / max(1, load.branches)))
        lock_us = 0.0 if parts.messaging is None or not in_cluster else parts.messaging.lock_us
        self._stage_us = (whole.host_us + lock_us) / self._stages
        self._submissions = whole.submissions / self._stages
        self.ended = 0

    def begin(self, host: _Worker, links: list[_Link]) -> None:
        """A new session on that host; which shard it belongs to is chance."""
        self._begin_at(0, host, links)

    def begin_somewhere(self, host: _Worker, links: list[_Link]) -> None:
        """One that is somewhere in its life already."""
        self._begin_at(self._random.randrange(self._stages), host, links)

    def _begin_at(self, stage: int, host: _Worker, links: list[_Link]) -> None:
        self._stage(stage, host, links[self._random.randrange(len(links))], links)

    def _stage(self, stage: int, host: _Worker, link: _Link, links: list[_Link]) -> None:
        if stage == self._stages:
            self.ended += 1
            self.begin(host, links)
            return

        def submit() -> None:
            count = max(1, int(self._submissions + self._random.random()))
            for _ in range(count - 1):
                link.submit(_nothing)
            link.submit(lambda: self._stage(stage + 1, host, link, links))

        def worked() -> None:
            if stage < self._calls:
                jitter = 1 + _JITTER * (2 * self._random.random() - 1)
                self._clock.after(self._latency_us * jitter, submit)
            else:
                submit()

        host.work(self._stage_us, worked)


def _nothing() -> None:
    """A submission that nobody waits for."""


def simulate(
    parts: Parts,
    load: Load,
    cluster: Cluster,
    *,
    sessions_per_host: int = 128,
    rounds: float = 0.5,
    seed: int = 1,
) -> Simulated:
    """Run the cluster with always as many sessions until ``rounds`` times as many as are under way should have ended,
    after as long a start.

    Deterministic for the same arguments.

    Raises:
        ValueError: see ``predict``.
    """
    in_cluster = cluster.nodes > 0
    expected = predict(parts, load, cluster, sessions_per_host=sessions_per_host).sessions_per_second
    seconds = rounds * cluster.hosts * sessions_per_host / expected
    clock = _Clock()
    shards = [_Shard(clock, parts, in_cluster) for _ in range(cluster.shards)]
    hosts = [_Worker(clock) for _ in range(cluster.hosts)]
    sessions = _Sessions(clock, parts, load, in_cluster, seed)
    for host in hosts:
        links = [_Link(clock, host, shard, parts, in_cluster) for shard in shards]
        for _ in range(sessions_per_host):
            sessions.begin_somewhere(host, links)
    clock.run(seconds * 1e6)
    before = _totals(sessions, hosts, shards)
    clock.run(2 * seconds * 1e6)
    ended, hosts_us, shards_us, transactions, committed, waited = (
        later - earlier for later, earlier in zip(_totals(sessions, hosts, shards), before, strict=True)
    )
    return Simulated(
        ended / seconds,
        min(1.0, hosts_us / len(hosts) / seconds / 1e6),
        min(1.0, shards_us / len(shards) / seconds / 1e6),
        committed / max(1.0, transactions),
        waited / max(1.0, committed) / 1000,
    )


def _totals(sessions: _Sessions, hosts: list[_Worker], shards: list[_Shard]) -> tuple[float, ...]:
    return (
        sessions.ended,
        sum(host.busy_us for host in hosts),
        sum(shard.busy_us for shard in shards),
        sum(shard.transactions for shard in shards),
        sum(shard.committed for shard in shards),
        sum(shard.waited_us for shard in shards),
    )
