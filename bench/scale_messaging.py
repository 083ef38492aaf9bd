"""What messages between a host and a journal shard cost, measured between two processes of this machine by Ray."""

import asyncio
import logging
import secrets
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from actors.config import ClusterConfig
from actors.remote_store import RemoteStore
from actors.shards import find_shards, start_shards
from chidori_actors.journal.store import Done, Store

from .cluster_cpu import cpu_by_role
from .scale_model import Journal, Messaging
from .scale_parts import Round, fit, submission
from .scenery import own_store

_ROUNDS = ((1, 800), (10, 300), (100, 60), (1000, 12))
"""Submissions at once, and how often: enough for the processor time to be more than the clock's error."""
_LOCKS = 300


class Client:
    """A process that writes to the journal as a host does."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._store: RemoteStore | None = None

    async def begin(self) -> None:
        """Open the journal."""
        self._store = RemoteStore(f"bench-{secrets.token_hex(4)}", await find_shards(self._config), self._config)
        await self._store.commit(submission())

    async def round(self, count: int, times: int) -> tuple[Round, float]:
        """Submit ``count`` at once, so often: batches, submissions, processor seconds of this process; and seconds."""
        assert self._store is not None
        batches: list[float] = []
        self._store.watch_commits(batches.append)
        work = [[submission() for _ in range(count)] for _ in range(times)]
        cpu, began = time.process_time(), time.perf_counter()
        for writes in work:
            await _submitted(self._store, writes)
        took = (float(len(batches)), float(count * times), time.process_time() - cpu)
        return took, time.perf_counter() - began

    async def locks(self, count: int) -> float:
        """Seconds that the lock of a new run takes, of which this event loop can do nothing else."""
        assert self._store is not None
        runs = [f"bench-{secrets.token_hex(8)}" for _ in range(count)]
        began = time.perf_counter()
        for run in runs:
            self._store.lock(run)
        return (time.perf_counter() - began) / count


async def _submitted(store: Store, work: Sequence[Any]) -> None:
    left = len(work)
    all_done = asyncio.Event()

    def one(error: BaseException | None) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_done.set()

    done: Done = one
    for writes in work:
        store.submit(writes, None, done)
    await all_done.wait()


def measure(journal: Journal, journal_cpu: Journal, times: int = 3) -> Messaging:
    """Medians of ``times``; ``journal`` is what a transaction takes without messages, in all and of a processor."""
    with _shard_and_client() as client:
        found = [_once(client, journal, journal_cpu) for _ in range(times)]
    return Messaging(*(statistics.median(column) for column in zip(*found, strict=True)))


@contextmanager
def _shard_and_client() -> Iterator[Any]:
    with own_store() as settings:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            config = ClusterConfig(Path(settings.store).resolve())
            asyncio.run(start_shards(config, [ray.get_runtime_context().get_node_id()]))
            client: Any = ray.remote(Client).options(num_cpus=0).remote(config)
            ray.get(client.begin.remote())
            yield client
        finally:
            ray.shutdown()


def _once(client: Any, journal: Journal, journal_cpu: Journal) -> tuple[float, ...]:
    hosts: list[Round] = []
    shards: list[Round] = []
    alone = 0.0
    for count, rounds in _ROUNDS:
        before = cpu_by_role().get("journal", 0.0)
        (batches, submissions, cpu), seconds = ray.get(client.round.remote(count, rounds))
        hosts.append((batches, submissions, cpu))
        shards.append((batches, submissions, cpu_by_role()["journal"] - before))
        if count == 1:
            alone = seconds / rounds * 1e6
    host = [each * 1e6 for each in fit(hosts)]
    shard = [each * 1e6 for each in fit(shards)]
    shard = [max(0.0, shard[0] - journal_cpu.transaction_us), max(0.0, shard[1] - journal_cpu.submission_us)]
    known = sum(host) + sum(shard) + journal.transaction_us + journal.submission_us
    return (*host, *shard, max(0.0, alone - known), ray.get(client.locks.remote(_LOCKS)) * 1e6)
