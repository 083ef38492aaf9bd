"""On which node each shard of the journal is started: where its files are, which are nowhere else."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from chidori_actors.errors import StoreError

from .calls import answer
from .config import ClusterConfig
from .nodes import Node
from .shard_store import StoreFile, other_number, store_files

_LOOK_S = 30.0


async def find_places(config: ClusterConfig, nodes: Sequence[Node], defaults: Sequence[str]) -> list[str]:
    """The ids of the shards' nodes. All ``nodes`` are asked what they have; shards of a new store are on ``defaults``
    in turn.

    Raises:
        StoreError: a part of the store is on no node, or on several, or a node cannot say what it has.
    """
    found = await asyncio.gather(*(_look(config, node) for node in nodes))
    addresses = {node.id: node.address for node in nodes}
    return places(config, defaults, {node.id: files for node, files in zip(nodes, found, strict=True)}, addresses)


async def _look(config: ClusterConfig, node: Node) -> list[StoreFile]:
    if node.id == ray.get_runtime_context().get_node_id():
        return store_files(config)
    there = NodeAffinitySchedulingStrategy(node.id, soft=False)
    look = ray.remote(store_files).options(num_cpus=0, scheduling_strategy=there)
    try:
        found: list[StoreFile] = await asyncio.wait_for(answer(look.remote(config)), _LOOK_S)
    except (RayError, TimeoutError) as error:
        raise StoreError(
            f"node {node.id[:8]} ({node.address}) does not say whether it has a part of the store {config.store}: "
            f"{str(error).partition(chr(10))[0] or f'no answer within {_LOOK_S:g} s'}",
            hint="every node needs the same Python, Ray and chidori-actors; take one that is broken out of the cluster",
        ) from error
    return found


def places(
    config: ClusterConfig,
    defaults: Sequence[str],
    found: Mapping[str, Sequence[StoreFile]],
    addresses: Mapping[str, str],
) -> list[str]:
    """The node of each shard, given what each node has.

    Raises:
        StoreError: a part of the store is on no node, or on several.
    """
    by_shard: dict[int | None, dict[str, StoreFile]] = {}
    for node, files in found.items():
        for file in files:
            by_shard.setdefault(file.shard, {})[node] = file
    if config.shards == 1 and by_shard.keys() - {None}:
        raise other_number(config.store, "several shards", config)
    if config.shards > 1 and None in by_shard:
        raise other_number(config.store, "one shard", config)
    shards: list[int | None] = [None] if config.shards == 1 else list(range(config.shards))
    missing = [shard for shard in shards if shard not in by_shard]
    if missing and len(missing) < len(shards):
        raise _missing(config, missing, by_shard, addresses)
    return [
        _place(config, shard, defaults[number % len(defaults)], by_shard.get(shard, {}), addresses)
        for number, shard in enumerate(shards)
    ]


def _place(
    config: ClusterConfig,
    shard: int | None,
    default: str,
    files: Mapping[str, StoreFile],
    addresses: Mapping[str, str],
) -> str:
    if len({file.identity for file in files.values()}) > 1:  # a disk that nodes share has the same file on each
        name = f"the store {config.store}" if shard is None else f"shard {shard} of the store {config.store}"
        listed = "; ".join(f"{addresses[node]} has one of {_words(file)}" for node, file in sorted(files.items()))
        raise StoreError(
            f"{name} is on {len(files)} nodes: {listed}",
            hint="move away those that are not to be used; nothing else can tell which has the runs",
        )
    return default if default in files or not files else min(files)


def _missing(
    config: ClusterConfig,
    missing: Sequence[int | None],
    by_shard: Mapping[int | None, Mapping[str, StoreFile]],
    addresses: Mapping[str, str],
) -> StoreError:
    names = ", ".join(str(shard) for shard in missing)
    present = "; ".join(
        f"shard {shard} on {', '.join(sorted(addresses[node] for node in nodes))}"
        for shard, nodes in sorted(by_shard.items(), key=str)
    )
    return StoreError(
        f"of the {config.shards} shards of the store {config.store}, {names} {'is' if len(missing) == 1 else 'are'} on "
        f"no node of the cluster: there is {present}",
        hint="join the node that has it (`ray start --address=…` there) or put a copy in its place, and start again; "
        "--shards must be what the store was made with. Delete the rest only if nothing was ever recorded in it",
    )


def _words(file: StoreFile) -> str:
    _, size, changed = file.identity
    return f"{size} bytes, changed {datetime.fromtimestamp(changed / 1e9).isoformat(' ', 'seconds')}"
