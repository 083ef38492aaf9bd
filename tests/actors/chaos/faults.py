"""Finding the processes of a cluster by what they do, and striking them."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import ray
from ray._private.state import actors as known_actors

from actors.calls import answer
from actors.cluster import ClusterHandles
from chidori_actors.placement.clusters import ClusterStatus, HostStatus

_EVERY_S = 0.05


async def status_of(handles: ClusterHandles) -> ClusterStatus:
    """The cluster as its supervisor knows it."""
    status: ClusterStatus = await answer(handles.supervisor.status.remote())
    return status


async def hosts_of(handles: ClusterHandles) -> list[HostStatus]:
    """The hosts that are up and have said which process they are, if that lives."""
    hosts = (await status_of(handles)).hosts
    return [host for host in hosts if host.state == "up" and host.pid is not None and _lives(host.pid)]


async def homed_at(handles: ClusterHandles, host: str, names: Sequence[str]) -> list[str]:
    """Those of the sessions that are at home on the host."""
    homes = await asyncio.gather(*(answer(handles.supervisor.locate.remote(name)) for name in names))
    return [name for name, home in zip(names, homes, strict=True) if home == host]


def process_of(handles: ClusterHandles, actor: str) -> int | None:
    """The process in which the actor of that name lives; None while it lives in none."""
    identity = ray.get_actor(actor, namespace=handles.config.namespace)._actor_id.hex()
    found = known_actors(identity)
    return int(found["Pid"]) if found.get("State") == "ALIVE" else None


def kill(pid: int) -> None:
    """``kill -9``."""
    os.kill(pid, signal.SIGKILL)


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until ``check`` says so: processes and the cluster's own view of itself tell nobody when they change."""
    while True:
        if await check():
            return
        await asyncio.sleep(_EVERY_S)


async def ended(pid: int) -> None:
    """Wait until the process is gone."""

    async def is_gone() -> bool:
        return not _lives(pid)

    await until(is_gone)


async def until_replaced(handles: ClusterHandles, actor: str, former: int) -> None:
    """Wait until the actor of that name lives in another process."""

    async def is_another() -> bool:
        return process_of(handles, actor) not in (None, former)

    await until(is_another)


async def until_empty(handles: ClusterHandles) -> None:
    """Wait until nothing is booked on any host: what ended has been given back."""

    async def is_empty() -> bool:
        status = await status_of(handles)
        return not (status.runs or status.waiting or any(host.actors or host.runs for host in status.hosts))

    await until(is_empty)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
