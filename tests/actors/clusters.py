"""Small clusters of real hosts for a test, and front ends of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ray

from actors.calls import answer
from actors.cluster import ClusterHandles, connect, stop_cluster
from actors.cluster_runtime import ClusterRuntime, runtime_on
from actors.config import ClusterConfig
from chidori_actors.policy import Policy
from chidori_actors.session.actor_images import IMAGE_EVERY
from tests.support.agents import make_settings

SECONDS = 120
"""Generous: the machine may be busy."""


def ray_address() -> str:
    """Of the Ray that this process is a client of; others may run on the machine."""
    return str(ray.get_runtime_context().gcs_address)


@asynccontextmanager
async def cluster_in(folder: Path, namespace: str, **options: Any) -> AsyncIterator[ClusterHandles]:
    """A cluster of two hosts whose store is ``folder/store``; it is stopped at the end of the block."""
    config = ClusterConfig(store=folder / "store", namespace=namespace, durability="relaxed", **{"hosts": 2, **options})
    handles = await connect(ray_address(), config)
    try:
        assert await answer(handles.supervisor.settled.remote()) is None
        yield handles
    finally:
        await stop_cluster(handles)


@asynccontextmanager
async def front_of(
    handles: ClusterHandles, environ: Mapping[str, str] | None = None, *, image_every: int = IMAGE_EVERY
) -> AsyncIterator[ClusterRuntime]:
    """A front of the cluster in this process, with settings from ``environ`` alone."""
    settings = make_settings(handles.config.store, environ)
    async with runtime_on(handles, settings, Policy.load(settings), image_every) as runtime:
        yield runtime


async def home_of(handles: ClusterHandles, run_id: str) -> Any:
    """The Ray actor of the host that drives the run."""
    name = await answer(handles.supervisor.locate.remote(run_id))
    return ray.get_actor(name, namespace=handles.config.namespace)
