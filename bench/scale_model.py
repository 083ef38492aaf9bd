"""What a cluster can do, predicted from what its parts cost one by one: docs/scale.md explains it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

_MAX_BATCH = 2000
"""Submissions that the journal takes into one transaction."""
_ITERATIONS = 50
"""They converge in about ten."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session, a branch or a call adds: ``host_us`` microseconds of an event loop's processor time, of which
    ``javascript_us`` in VMs; ``submissions`` to the journal, and their ``bytes``.
    """

    host_us: float
    javascript_us: float
    submissions: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Journal:
    """A shard's transaction takes ``transaction_us`` and ``submission_us`` for each submission in it."""

    transaction_us: float
    submission_us: float


@dataclass(frozen=True, slots=True)
class Messaging:
    """A batch from a host to a shard and its answer, in microseconds.

    ``host_batch_us`` and ``host_submission_us`` are processor time of the host's process, ``shard_batch_us`` and
    ``shard_submission_us`` of the shard's, without the transaction; ``round_trip_us`` is how long it is under way
    beside all of that. ``lock_us`` is how long a host's event loop waits for the lock of a new run.
    """

    host_batch_us: float
    host_submission_us: float
    shard_batch_us: float
    shard_submission_us: float
    round_trip_us: float
    lock_us: float


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything measured. ``messaging`` is None where it was not: then only one process can be predicted."""

    session: Cost
    branch: Cost
    call: Cost
    journal: Journal
    messaging: Messaging | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, float] | None]) -> "Parts":
        """As ``dataclasses.asdict`` gives them.

        Raises:
            ValueError: a part is missing, or has other fields.
        """
        messaging = value.get("messaging")
        return cls(
            session=Cost(**_fields_of(value, "session", Cost)),
            branch=Cost(**_fields_of(value, "branch", Cost)),
            call=Cost(**_fields_of(value, "call", Cost)),
            journal=Journal(**_fields_of(value, "journal", Journal)),
            messaging=None if messaging is None else Messaging(**_fields_of(value, "messaging", Messaging)),
        )


def _fields_of(
    value: Mapping[str, Mapping[str, float] | None], name: str, kind: type[Cost | Journal | Messaging]
) -> dict[str, float]:
    part = value.get(name)
    wanted = {field.name for field in fields(kind)}
    if part is None or part.keys() != wanted:
        raise ValueError(f"the part {name!r} must have the fields {', '.join(sorted(wanted))}")
    return dict(part)


@dataclass(frozen=True, slots=True)
class Load:
    """What each session does: ``branches`` (0: none) that make ``calls`` calls each, of ``latency_ms``."""

    branches: int = 0
    calls: int = 10
    latency_ms: float = 50.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """``nodes`` of ``cores`` cores, on which a shard takes the place of a host where there is one.

    ``nodes`` 0 is one process without Ray: an event loop, and the journal's thread beside it.
    """

    nodes: int
    cores: int = 2
    shards: int = 1

    @property
    def hosts(self) -> int:
        """One for each core that no shard has."""
        return 1 if self.nodes == 0 else self.nodes * self.cores - self.shards


@dataclass(frozen=True, slots=True)
class Prediction:
    """Sessions per second that each part of the cluster allows; the least of them is what it does."""

    allowed: Mapping[str, float]

    @property
    def limit(self) -> str:
        """The part that limits first."""
        return min(self.allowed, key=lambda name: self.allowed[name])

    @property
    def sessions_per_second(self) -> float:
        """What that part allows."""
        return self.allowed[self.limit]


def session_cost(parts: Parts, load: Load) -> Cost:
    """What a whole session of ``load`` costs, without messages."""
    counts = ((parts.session, 1), (parts.branch, load.branches), (parts.call, max(1, load.branches) * load.calls))
    return Cost(*(sum(getattr(cost, field.name) * count for cost, count in counts) for field in fields(Cost)))


def predict(parts: Parts, load: Load, cluster: Cluster, *, sessions_per_host: int = 256) -> Prediction:
    """Throughput while every host has ``sessions_per_host`` sessions under way all the time.

    Raises:
        ValueError: more shards than cores, no session, or a cluster although its messages were not measured.
    """
    if cluster.hosts < 1 or cluster.shards < 1 or sessions_per_host < 1:
        raise ValueError("there must be a core for at least one host beside the shards, a shard, and a session")
    messaging = None if cluster.nodes == 0 else parts.messaging
    if cluster.nodes and messaging is None:
        raise ValueError("messages between processes were not measured: measure the parts with --ray")
    cost = session_cost(parts, load)
    under_way = cluster.hosts * sessions_per_host
    waiting_us = load.calls * load.latency_ms * 1000
    shard_rate = _shard_rate(parts.journal, messaging, cluster.hosts, sessions_per_host / cluster.shards)
    allowed = {
        "journal": cluster.shards * shard_rate / cost.submissions,
        "hosts": cluster.hosts * _host_rate(parts.journal, messaging, cost, cluster, sessions_per_host, waiting_us),
    }
    if waiting_us:
        allowed["sessions under way"] = under_way / (waiting_us + cost.host_us) * 1e6
    return Prediction(allowed)


def _shard_rate(journal: Journal, messaging: Messaging | None, hosts: int, sessions: float) -> float:
    """Submissions per second of a shard that works all the time, with ``sessions`` of each host.

    While a transaction is under way the next one gathers: one half of the hosts is in either, and what one half of a
    host's sessions submit waits until its last batch was answered.
    """
    if messaging is None:
        together = min(_MAX_BATCH, hosts * sessions)
        return together / (journal.transaction_us + together * journal.submission_us) * 1e6
    in_batch = max(1.0, sessions / 2)
    together = min(_MAX_BATCH, max(1.0, hosts / 2) * in_batch)
    us = journal.transaction_us + together * (journal.submission_us + messaging.shard_submission_us)
    return together / (us + together / in_batch * messaging.shard_batch_us) * 1e6


def _host_rate(
    journal: Journal,
    messaging: Messaging | None,
    cost: Cost,
    cluster: Cluster,
    sessions: int,
    waiting_us: float,
) -> float:
    """Sessions per second that a host has the processor time for.

    Its next batch to a shard leaves when the last was answered, and when the host gets to it: the more sessions wait
    for the host, the more submissions share a message. Messages take time from sessions, so this is a fixed point.
    """
    if messaging is None:
        return 1e6 / cost.host_us
    own_us = cost.host_us + messaging.lock_us + cost.submissions * messaging.host_submission_us
    answer_us = messaging.host_batch_us + messaging.shard_batch_us + messaging.round_trip_us + journal.transaction_us
    rate = 1 / (own_us + cost.submissions * messaging.host_batch_us)
    for _ in range(_ITERATIONS):
        cycle_us = max(answer_us, (sessions / rate - waiting_us) / cost.submissions)
        in_batch = max(1.0, rate * cost.submissions * cycle_us / cluster.shards)
        rate = 1 / (own_us + cost.submissions / in_batch * messaging.host_batch_us)
    return rate * 1e6


def burst_seconds(parts: Parts, load: Load, cluster: Cluster, sessions: int) -> float:
    """How long ``sessions`` that begin at once take until all have ended: bounded by their calls or by throughput.

    Raises:
        ValueError: see ``predict``.
    """
    prediction = predict(parts, load, cluster, sessions_per_host=sessions)
    allowed = {name: rate for name, rate in prediction.allowed.items() if name != "sessions under way"}
    waiting = load.calls * load.latency_ms / 1000
    return max(waiting + session_cost(parts, load).host_us / 1e6, sessions / min(allowed.values()))
