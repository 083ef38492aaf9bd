"""What ``chidori cluster status`` shows."""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import ray
from ray.exceptions import RayError

from chidori_actors.journal.environment import DATA_FILE
from chidori_actors.placement.clusters import ClusterStatus, HostStatus, LossStatus, NodeStatus, ShardStatus

from .config import ClusterConfig
from .entries import HostEntry
from .nodes import need_text
from .outbox import shard_name
from .registry import Registry
from .shards import ShardAddress
from .status import HostLoad

_REACHABLE_S = 2.0


async def overview(
    config: ClusterConfig,
    registry: Registry,
    loads: Mapping[str, HostLoad],
    shards: Sequence[ShardAddress],
    losses: Sequence[LossStatus],
    failure: str | None,
) -> ClusterStatus:
    """The cluster as the supervisor knows it. ``loads`` are the hosts' last words; shards are asked."""
    asked = await asyncio.gather(*map(_shard, shards))
    return ClusterStatus(
        version=f"chidori-actors {version('chidori-actors')}, Ray {ray.__version__}",
        store=str(config.store),
        durability=config.durability,
        nodes=_nodes(registry),
        hosts=[_host(host, loads.get(host.name)) for host in registry.hosts.values()],
        shards=asked,
        losses=losses,
        runs=len(registry.runs),
        waiting=registry.waiting,
        failure=failure,
    )


def _nodes(registry: Registry) -> list[NodeStatus]:
    hosts = Counter(host.node for host in registry.hosts.values())
    return [
        NodeStatus(
            id=node.id,
            address=node.address,
            hostname=node.hostname,
            cpus=node.cpus,
            gpus=node.gpus,
            state="draining" if node.id in registry.draining else "up",
            hosts=hosts[node.id],
        )
        for node in registry.nodes.values()
    ]


def _host(host: HostEntry, load: HostLoad | None) -> HostStatus:
    return HostStatus(
        name=host.name,
        node=host.node,
        state=host.state,
        actors=host.actors,
        room=host.room,
        runs=len(host.runs),
        need=need_text(host.need),
        pid=None if load is None else load.pid,
        memory_bytes=None if load is None else load.memory_bytes,
        load=None if load is None else load.cpu,
        journal_reachable=None if load is None else load.journal_reachable,
    )


async def _shard(shard: ShardAddress) -> ShardStatus:
    try:
        await asyncio.wait_for(shard.actor.place.remote(), _REACHABLE_S)
        reachable = True
    except (RayError, TimeoutError):
        reachable = False
    return ShardStatus(shard_name(shard.index), shard.node_id, str(shard.path), _size(shard), reachable)


def _size(shard: ShardAddress) -> int | None:
    """What the store takes of the disk, when that is here."""
    if shard.node_id != ray.get_runtime_context().get_node_id():
        return None
    try:
        return os.stat(shard.path / DATA_FILE).st_blocks * 512
    except OSError:
        return None
