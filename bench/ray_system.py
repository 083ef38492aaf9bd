"""The throughput workloads on a cluster of this machine, which is started for them and ended after them."""

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import ray

from actors.cluster import system
from chidori_actors.placement.clusters import ClusterOptions
from chidori_actors.runtime import open_runtime
from chidori_actors.settings import Settings

from .cluster_cpu import cpu_by_role
from .host_meters import FOLDER, WRITTEN_EVERY_S, inside_hosts
from .meters import Idleness, Spent, metered, run_metered
from .scenery import own_store
from .workloads import Workload, perform, workload

Measured = tuple[Spent, dict[str, float], dict[str, float]]
"""What this process spent; processor seconds of the others by what they are; and what went on inside of hosts."""


def measured(load: Workload, hosts: int, actors_per_host: int, times: int) -> Iterator[Measured]:
    """Each measurement on a cluster of its own."""
    for _ in range(times):
        with own_store() as settings, tempfile.TemporaryDirectory() as meters:
            with _cluster(settings, hosts, actors_per_host, Path(meters)) as joined:
                found = _measured(joined, load, Path(meters))
            yield found


@contextmanager
def _cluster(settings: Settings, hosts: int, actors_per_host: int, meters: Path) -> Iterator[Settings]:
    """Settings of a cluster that has started all its hosts."""
    environment = {"worker_process_setup_hook": "bench.host_meters.install", "env_vars": {FOLDER: str(meters)}}
    # The hosts are what is measured, so Ray is to think that there is room for them.
    ray.init(
        address="local",
        num_cpus=hosts + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env=environment,
    )
    try:
        address = ray.get_runtime_context().gcs_address
        joined = replace(settings, ray_address=address)
        store = Path(settings.store).resolve()
        system.start(joined, ClusterOptions(address, store, 1, hosts, hosts, actors_per_host))
        yield joined
    finally:
        ray.shutdown()


def _measured(settings: Settings, load: Workload, meters: Path) -> Measured:
    async def once(idleness: Idleness) -> Measured:
        async with open_runtime(settings) as runtime:
            # Every host loads then what later runs find there.
            await perform(runtime, workload("sessions", agents=8, calls=1, latency_ms=0))
            await asyncio.sleep(2 * WRITTEN_EVERY_S)
            before, roles = inside_hosts(meters), cpu_by_role()
            spent = await metered(lambda: perform(runtime, load), runtime.store, idleness)
            roles = _since(roles, cpu_by_role())
            await asyncio.sleep(2 * WRITTEN_EVERY_S)
        return spent, roles, _since(before, inside_hosts(meters))

    return run_metered(once)


def _since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0.0) for name, value in after.items()}
