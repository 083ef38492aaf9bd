"""A cluster as its clients have it: found, started and stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from chidori_actors.errors import ChidoriError, UsageError
from chidori_actors.journal.store import Store
from chidori_actors.placement.clusters import ClusterOptions, ClusterStatus, DrainReport, StopReport
from chidori_actors.policy import Policy
from chidori_actors.runtime import Runtime
from chidori_actors.settings import Settings

from .calls import answer, patient_answer
from .cluster_nodes import live_nodes
from .config import ClusterConfig
from .connecting import join_cluster
from .host_processes import HOST, find_hosts
from .shard_places import find_places
from .shards import ShardAddress, find_shards, start_shards
from .supervisor import Supervisor

NAMESPACE = "chidori"
DISK = "chidori_disk"
"""Nodes with this resource hold the journal; without any, the head does."""

_NAME = "supervisor"
_FOREVER = -1
_CALLS_AT_ONCE = 100_000
_SETTLED_S = 180.0
_FIXED = ("store", "durability", "shards")
"""What cannot be changed while a cluster runs."""

_RESTART_S = 30.0
"""So long Ray may take to start an actor again."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ClusterHandles:
    """A cluster that runs; ``supervisor`` is its Ray actor."""

    config: ClusterConfig
    supervisor: Any
    shards: tuple[ShardAddress, ...]


async def connect(
    address: str, config: ClusterConfig | None, *, wishes: Collection[str] = _FIXED, host_class: str = HOST
) -> ClusterHandles:
    """Join the cluster at ``address`` and start there what is missing. This process stays a client of it until
    ``ray.shutdown``; joining takes a second or two, in which the event loop waits.

    ``config`` None: as it runs. Of a cluster that runs, only ``wishes``, the names of fields, must be as in ``config``.

    Raises:
        UsageError: it runs with another store, durability or number of shards.
        StoreError: its store is not there as a whole, or cannot be opened.
        ChidoriError: there is no cluster, or it cannot be joined, or nothing of ours runs on it and ``config`` is None.
    """
    join_cluster(address, NAMESPACE if config is None else config.namespace)
    namespace = NAMESPACE if config is None else config.namespace
    running = _find_supervisor(namespace)
    if running is None:
        if config is None:
            raise ChidoriError(
                "the Ray cluster runs, but no agents can run on it yet", hint="start it with `chidori cluster start`"
            )
        return await _start(config, host_class)
    found: ClusterConfig = await patient_answer(running.config.remote, _RESTART_S)
    if config is not None:
        _check_same(found, config, wishes)
    return ClusterHandles(found, running, tuple(await find_shards(found)))


def _find_supervisor(namespace: str) -> Any | None:
    try:
        return ray.get_actor(_NAME, namespace=namespace)
    except ValueError:
        return None


async def _start(config: ClusterConfig, host_class: str) -> ClusterHandles:
    nodes = live_nodes()
    nodes.sort(key=lambda node: (node.address, node.hostname))
    disks = [node.id for node in nodes if DISK in node.resources]
    heads = [node.id for node in nodes if node.is_head]
    shards = await start_shards(config, await find_places(config, nodes, disks or heads))
    supervisor: Any = (
        ray.remote(Supervisor)
        .options(
            name=_NAME,
            namespace=config.namespace,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=_FOREVER,
            max_concurrency=_CALLS_AT_ONCE,
            # The head's end is the cluster's; any other node may go.
            scheduling_strategy=NodeAffinitySchedulingStrategy(heads[0], soft=True),
        )
        .remote(config, host_class)
    )
    found: ClusterConfig = await patient_answer(supervisor.config.remote, _RESTART_S)
    _check_same(found, config, _FIXED)  # somebody else may have started it at the same time
    return ClusterHandles(found, supervisor, tuple(shards))


def _check_same(found: ClusterConfig, asked: ClusterConfig, wishes: Collection[str]) -> None:
    for name in wishes:
        has, wanted = getattr(found, name), getattr(asked, name)
        if has != wanted:
            raise UsageError(
                f"the cluster runs with {name.replace('_', ' ')} {has}, not {wanted}",
                hint="leave that out to use it as it is, or end it with `chidori cluster stop` and start it anew",
            )


def config_for(settings: Settings, options: ClusterOptions) -> tuple[ClusterConfig, tuple[str, ...]]:
    """The config that a user asks for, and which of its fields are wishes; the rest are defaults."""
    wishes: dict[str, Any] = {
        "store": options.store or (settings.store if settings.environ.get("CHIDORI_DB_PATH") else None),
        "durability": settings.durability if settings.environ.get("CHIDORI_DURABILITY") else None,
        "shards": options.shards,
        "hosts": options.hosts,
        "max_hosts": options.max_hosts,
        "actors_per_host": options.actors_per_host,
    }
    given = {name: value for name, value in wishes.items() if value is not None}
    defaults = ClusterConfig(store=settings.store, durability=settings.durability, namespace=NAMESPACE)
    config = replace(defaults, **given)
    if config.max_hosts is not None and config.hosts is not None and config.max_hosts < config.hosts:
        raise UsageError(f"--max-hosts {config.max_hosts} is less than --hosts {config.hosts}")
    return replace(config, store=Path.cwd() / config.store), tuple(given)


async def stop_cluster(handles: ClusterHandles) -> StopReport:
    """End hosts, supervisor and journal; what was under way can be resumed."""
    try:
        report: StopReport = await answer(handles.supervisor.stop.remote())
        ray.kill(handles.supervisor, no_restart=True)
    except RayActorError:  # then it cannot say what was under way
        ray.kill(handles.supervisor, no_restart=True)
        hosts = find_hosts(handles.config).values()
        report = StopReport(len(hosts), 0, ())
        for host in hosts:
            ray.kill(host)
    for shard in handles.shards:
        ray.kill(shard.actor, no_restart=True)
    return replace(report, shards=len(handles.shards))


class RaySystem:
    """Clusters of Ray."""

    def start(self, settings: Settings, options: ClusterOptions) -> ClusterStatus:
        config, wishes = config_for(settings, options)

        async def started(handles: ClusterHandles) -> ClusterStatus:
            try:
                failure = await asyncio.wait_for(answer(handles.supervisor.settled.remote()), _SETTLED_S)
            except TimeoutError:
                failure = f"none came up within {_SETTLED_S:g} s"
            if failure is not None:
                raise ChidoriError(
                    f"the cluster's hosts do not start: {failure}",
                    hint="every node needs the same Python, Ray and chidori-actors; see `chidori cluster status`",
                )
            return await _status(handles)

        return _with_cluster(options.address, config, wishes, started)

    def status(self, options: ClusterOptions) -> ClusterStatus:
        return _with_cluster(options.address, None, (), _status)

    def drain(self, options: ClusterOptions, node: str) -> DrainReport:
        async def drained(handles: ClusterHandles) -> DrainReport:
            report: DrainReport = await answer(handles.supervisor.drain.remote(node))
            return report

        return _with_cluster(options.address, None, (), drained)

    def stop(self, options: ClusterOptions) -> StopReport:
        return _with_cluster(options.address, None, (), stop_cluster)

    def open_runtime(
        self, settings: Settings, policy: Policy, image_every: int
    ) -> AbstractAsyncContextManager[Runtime]:
        from .cluster_runtime import open_cluster_runtime  # the VM and the journal, which the methods above do without

        return open_cluster_runtime(settings, policy, image_every)

    def open_store(self, settings: Settings) -> AbstractContextManager[Store]:
        from .cluster_runtime import open_cluster_store

        return open_cluster_store(settings)


def _with_cluster(
    address: str,
    config: ClusterConfig | None,
    wishes: Collection[str],
    do: Callable[[ClusterHandles], Awaitable[Result]],
) -> Result:
    """Join the cluster for as long as it takes to ``do`` something with it."""

    async def connected() -> Result:
        return await do(await connect(address, config, wishes=wishes))

    joined_before = ray.is_initialized()
    try:
        return asyncio.run(connected())
    finally:
        if not joined_before:
            ray.shutdown()


async def _status(handles: ClusterHandles) -> ClusterStatus:
    status: ClusterStatus = await answer(handles.supervisor.status.remote())
    return status


system = RaySystem()
