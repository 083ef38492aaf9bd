"""The journal's shards as Ray actors: how they are started and found."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from chidori_actors.errors import StoreError

from .calls import patient_answer
from .config import ClusterConfig
from .journal import JournalShard
from .outbox import shard_name

_FOREVER = -1
_CALLS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ShardAddress:
    """A shard: its Ray actor, and the node and the directory of its store, which processes there read themselves."""

    index: int
    actor: Any
    node_id: str
    path: Path


async def start_shards(config: ClusterConfig, node_ids: Sequence[str]) -> list[ShardAddress]:
    """Start the shards that are not there, each on its node of ``node_ids``; all of them.

    Raises:
        StoreError: the store of one cannot be opened.
    """
    actors: list[Any] = []
    for index, node_id in enumerate(node_ids):
        # Its files are on that node alone: on another it would begin an empty store.
        where = NodeAffinitySchedulingStrategy(node_id, soft=False)
        shard = ray.remote(JournalShard).options(
            name=shard_name(index),
            namespace=config.namespace,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=_FOREVER,
            max_concurrency=_CALLS_AT_ONCE,
            scheduling_strategy=where,
        )
        actors.append(shard.remote(config, index))
    try:
        return await _addresses(actors, config)
    except StoreError:
        for actor in actors:
            ray.kill(actor)
        raise


async def find_shards(config: ClusterConfig) -> list[ShardAddress]:
    """The shards of a cluster that was started.

    Raises:
        ValueError: there is no such cluster.
    """
    names = (shard_name(index) for index in range(config.shards))
    return await _addresses([ray.get_actor(name, namespace=config.namespace) for name in names], config)


async def _addresses(actors: Sequence[Any], config: ClusterConfig) -> list[ShardAddress]:
    places = await asyncio.gather(*(patient_answer(actor.place.remote, config.lost_after_s) for actor in actors))
    return [
        ShardAddress(index, actor, node_id, Path(path))
        for index, (actor, (node_id, path)) in enumerate(zip(actors, places, strict=True))
    ]
