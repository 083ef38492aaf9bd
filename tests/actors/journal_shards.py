"""Journals on a real Ray for the tests."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import ray

from actors.config import ClusterConfig
from actors.remote_store import RemoteStore
from actors.shards import ShardAddress, start_shards

LIMIT_S = 60.0


def client() -> str:
    """The name of a client that nobody had before."""
    return f"client-{secrets.token_hex(4)}"


@asynccontextmanager
async def journal(config: ClusterConfig) -> AsyncIterator[list[ShardAddress]]:
    """Its shards, until the block ends."""
    async with asyncio.timeout(LIMIT_S):
        shards = await start_shards(config, [ray.get_runtime_context().get_node_id()] * config.shards)
    try:
        yield shards
    finally:
        for shard in shards:
            ray.kill(shard.actor, no_restart=True)


@asynccontextmanager
async def stores(
    path: Path, namespace: str, *, shards: int = 1, clients: int = 1, lost_after_s: float = 30.0, remote: bool = False
) -> AsyncIterator[tuple[list[ShardAddress], list[RemoteStore]]]:
    """A journal and stores on it; ``remote``: as if on another node."""
    config = ClusterConfig(store=path, namespace=namespace, shards=shards, lost_after_s=lost_after_s)
    async with journal(config) as addresses:
        seen = [replace(address, node_id="elsewhere") for address in addresses] if remote else addresses
        opened = [RemoteStore(client(), seen, config) for _ in range(clients)]
        try:
            yield addresses, opened
        finally:
            for store in opened:
                store.close()


async def process_of(shard: ShardAddress) -> int:
    """The process id of a shard."""
    async with asyncio.timeout(LIMIT_S):
        return int(await shard.actor.__ray_call__.remote(_process_id))


def _process_id(shard: object) -> int:
    return os.getpid()


async def kill(shard: ShardAddress) -> None:
    """``kill -9``; Ray starts it anew."""
    os.kill(await process_of(shard), signal.SIGKILL)
