"""Clusters that agents can run on: the seam to the package that knows one, which is found by an entry point."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import UsageError
from ..journal.store import Store
from ..policy import Policy
from ..settings import Settings

if TYPE_CHECKING:
    from ..runtime import Runtime

ENTRY_POINTS = "chidori_actors.systems"
"""The group of entry points; an entry's object is a ``ClusterSystem``."""


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What a user asks of a cluster; None is no wish. ``address`` is as the cluster's own tools take it."""

    address: str = "auto"
    store: Path | None = None
    shards: int | None = None
    hosts: int | None = None
    max_hosts: int | None = None
    actors_per_host: int | None = None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A machine of the cluster. ``state`` is ``up`` or ``draining``."""

    id: str
    address: str
    hostname: str
    cpus: float
    gpus: float
    state: str
    hosts: int


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A process that holds actors. ``state`` is ``starting``, ``up`` or ``draining``.

    ``actors`` are those that it has been given, ``room`` how many it may have. ``load`` is the share of one core that
    it takes. What a host has not told (yet) is None. ``need`` says which resources it was started with, if any.
    """

    name: str
    node: str
    state: str
    actors: int
    room: int
    runs: int
    need: str
    pid: int | None
    memory_bytes: int | None
    load: float | None
    journal_reachable: bool | None


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """A part of the journal. ``size_bytes`` is what it takes of the disk; None when that is on a node other
    than the supervisor's."""

    name: str
    node: str
    path: str
    size_bytes: int | None
    reachable: bool


@dataclass(frozen=True, slots=True)
class LossStatus:
    """A host that died or was cut off, and whose ``runs`` were given to others. ``at_ms`` is in epoch time."""

    at_ms: int
    host: str
    node: str
    runs: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster as it is now. ``waiting`` actors have no room yet; ``losses`` are the last few hosts that were lost,
    the oldest first; ``failure`` is why the last host could not start."""

    version: str
    store: str
    durability: str
    nodes: Sequence[NodeStatus]
    hosts: Sequence[HostStatus]
    shards: Sequence[ShardStatus]
    losses: Sequence[LossStatus]
    runs: int
    waiting: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What left a node, and how long it took.

    ``cut_off`` are the hosts that did not let go of their runs in time: these were taken from them and went on from
    their record elsewhere.
    """

    node: str
    address: str
    hosts: int
    runs: int
    actors: int
    seconds: float
    cut_off: Sequence[str]


@dataclass(frozen=True, slots=True)
class StopReport:
    """What was ended. ``runs`` are the ids of those that were under way; they can be resumed."""

    hosts: int
    shards: int
    runs: Sequence[str]


class ClusterSystem(Protocol):
    """What a package that knows a kind of cluster offers. Every method may take seconds, and raises ``ChidoriError``
    when there is no such cluster."""

    def start(self, settings: Settings, options: ClusterOptions) -> ClusterStatus:
        """Start what is missing, and wait until it takes runs.

        Raises:
            UsageError: it runs already, otherwise than ``options`` ask.
        """
        ...

    def status(self, options: ClusterOptions) -> ClusterStatus: ...

    def drain(self, options: ClusterOptions, node: str) -> DrainReport:
        """Move everything away from a node, which takes no actors from now on. ``node`` is the beginning of its id,
        its address or its host name."""
        ...

    def stop(self, options: ClusterOptions) -> StopReport:
        """End everything that ``start`` started."""
        ...

    def open_runtime(
        self, settings: Settings, policy: Policy, image_every: int
    ) -> "AbstractAsyncContextManager[Runtime]":
        """What runs agents on the cluster at ``settings.ray_address``, for as long as the context lasts.

        The runs of its servers' sessions go on afterwards.
        """
        ...

    def open_store(self, settings: Settings) -> AbstractContextManager[Store]:
        """The store of the cluster at ``settings.ray_address``, for whoever runs nothing."""
        ...


def find_system(purpose: str) -> ClusterSystem:
    """The installed system. ``purpose`` is what the user asked for, for the message.

    Raises:
        UsageError: there is none, or what it needs is not installed.
    """
    from importlib.metadata import entry_points  # 35 ms

    hint = "install chidori-actors[ray]"
    found = tuple(entry_points(group=ENTRY_POINTS, name="ray"))
    if not found:
        raise UsageError(f"{purpose} needs Ray, and this installation knows no cluster", hint=hint)
    try:
        return cast(ClusterSystem, found[0].load())
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != "ray":
            raise
        raise UsageError(f"{purpose} needs Ray, which is not installed", hint=hint) from missing
