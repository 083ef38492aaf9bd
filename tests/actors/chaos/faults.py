"""Finding the processes of a cluster by what they do, and striking them."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import ray
from ray._private.state import actors as known_actors

from actors.calls import answer
from actors.cluster import ClusterHandles
from chidori_actors.placement.clusters import ClusterStatus, HostStatus


async def status_of(handles: ClusterHandles) -> ClusterStatus:
    """The cluster as its supervisor knows it."""
    status: ClusterStatus = await answer(handles.supervisor.status.remote())
    return status


async def hosts_of(handles: ClusterHandles) -> list[HostStatus]:
    """The hosts that are up and have said which process they are."""
    return [host for host in (await status_of(handles)).hosts if host.state == "up" and host.pid is not None]


async def homed_at(handles: ClusterHandles, host: str, names: Sequence[str]) -> list[str]:
    """Those of the sessions that are at home on the host."""
    homes = await asyncio.gather(*(answer(handles.supervisor.locate.remote(name)) for name in names))
    return [name for name, home in zip(names, homes, strict=True) if home == host]


def process_of(handles: ClusterHandles, actor: str) -> int:
    """The process in which the actor of that name lives."""
    pids = [
        found["Pid"]
        for found in known_actors().values()
        if found["Name"] == actor and found["State"] == "ALIVE" and found["ActorID"] == _id_of(handles, actor)
    ]
    assert len(pids) == 1, (actor, pids)
    return int(pids[0])


def _id_of(handles: ClusterHandles, actor: str) -> str:
    return str(ray.get_actor(actor, namespace=handles.config.namespace)._actor_id.hex())


def kill(pid: int) -> None:
    """``kill -9``."""
    os.kill(pid, signal.SIGKILL)


async def ended(pid: int) -> None:
    """Wait until the process is gone."""
    while Path(f"/proc/{pid}").exists():
        await asyncio.sleep(0.05)


async def replaced(handles: ClusterHandles, actor: str, former: int) -> int:
    """Wait until the actor of that name lives in another process; which one."""
    while True:
        try:
            pid = process_of(handles, actor)
        except (AssertionError, ValueError):
            pid = former
        if pid != former:
            return pid
        await asyncio.sleep(0.05)


async def until_hosts(handles: ClusterHandles, number: int) -> list[HostStatus]:
    """Wait until so many hosts are up."""
    while len(found := await hosts_of(handles)) < number:
        await asyncio.sleep(0.1)
    return found


async def until_empty(handles: ClusterHandles) -> None:
    """Wait until nothing is booked on any host: what ended has been given back."""
    while True:
        status = await status_of(handles)
        if not status.runs and not status.waiting and not any(host.actors or host.runs for host in status.hosts):
            return
        await asyncio.sleep(0.1)
