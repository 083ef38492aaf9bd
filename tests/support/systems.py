"""Which system the runtimes of tests use: this process, hosts in it, or hosts of a real cluster (``--system``)."""

import hashlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, cast, get_args

from chidori_actors.policy import Policy
from chidori_actors.runtime import Runtime
from chidori_actors.runtime import open_runtime as open_local
from chidori_actors.session.actor_images import IMAGE_EVERY
from chidori_actors.settings import Settings
from chidori_actors.vm.machine import Bounds

SystemName = Literal["local", "hosts", "ray"]
SYSTEMS: tuple[SystemName, ...] = get_args(SystemName)

VARIABLE = "TEST_SYSTEM"
"""It is in the environment, so that processes which a test starts know it too."""

_NAMESPACE = "suite-"


def chosen_system() -> SystemName:
    return cast(SystemName, os.environ.get(VARIABLE, "local"))


def open_runtime(
    settings: Settings, *, policy: Policy | None = None, bounds: Bounds | None = None, image_every: int = IMAGE_EVERY
) -> AbstractAsyncContextManager[Runtime]:
    """A runtime on the store that ``settings`` name, on the chosen system. Hosts of a cluster have bounds of their own.

    A cluster stays for the next runtime on the same store, until ``stop_clusters``.
    """
    policy = policy or Policy.load(settings)
    if chosen_system() == "ray":
        return _on_ray(settings, policy, image_every)
    if chosen_system() == "hosts":
        from .three_hosts import open_three_hosts  # Ray, which most tests do without

        return open_three_hosts(settings, policy, bounds or Bounds(), image_every)
    return open_local(settings, policy=policy, bounds=bounds or Bounds(), image_every=image_every)


@asynccontextmanager
async def _on_ray(settings: Settings, policy: Policy, image_every: int) -> AsyncIterator[Runtime]:
    from actors.cluster_runtime import runtime_on

    async with runtime_on(await cluster_of(settings), settings, policy, image_every) as runtime:
        yield runtime


async def cluster_of(settings: Settings) -> Any:
    """The handles of the cluster of two hosts that has the store of ``settings``; it is started when there is none."""
    import ray

    from actors.calls import answer
    from actors.cluster import connect
    from actors.config import ClusterConfig

    digest = hashlib.sha256(os.fsencode(settings.store.resolve())).hexdigest()
    config = ClusterConfig(settings.store.resolve(), _NAMESPACE + digest[:16], settings.durability, hosts=2)
    handles = await connect(str(ray.get_runtime_context().gcs_address), config)
    assert await answer(handles.supervisor.settled.remote()) is None
    return handles


async def kill_host(settings: Settings, run_id: str, *, at_home: bool) -> bool:
    """``kill -9`` to the host where the run is at home, or to another; False when there is none now."""
    from actors.calls import answer

    supervisor = (await cluster_of(settings)).supervisor
    home = await answer(supervisor.locate.remote(run_id))
    hosts = (await answer(supervisor.status.remote())).hosts
    pids = [host.pid for host in hosts if host.pid is not None and (host.name == home) == at_home]
    for pid in pids[:1]:
        os.kill(pid, signal.SIGKILL)
    return bool(pids)


async def stop_clusters() -> None:
    """Stop every cluster that ``open_runtime`` started."""
    import ray

    from actors.calls import answer
    from actors.cluster import connect, stop_cluster

    address = str(ray.get_runtime_context().gcs_address)
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["name"] == "supervisor" and actor["namespace"].startswith(_NAMESPACE):
            supervisor = ray.get_actor(actor["name"], namespace=actor["namespace"])
            await stop_cluster(await connect(address, await answer(supervisor.config.remote())))
