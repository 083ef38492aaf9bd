"""What happens to a cluster in the midst of its sessions."""

import asyncio
import os
import signal

from tests.support.agents import within

from .faults import ended, homed_at, hosts_of, kill, process_of, replaced, until_hosts
from .stage import LIMIT_S, Stage


async def kill_home(stage: Stage) -> None:
    """A host is killed on which sessions are at home."""
    await stage.sessions.part(0.3)
    await _kill_host(stage, 0)


async def kill_several(stage: Stage) -> None:
    """Hosts are killed one after the other, the last while the others' sessions are still being moved."""
    for share in (0.2, 0.4):
        await stage.sessions.part(share)
        await _kill_host(stage, 0)
    await _kill_host(stage, 0)


async def _kill_host(stage: Stage, place: int) -> None:
    host = (await hosts_of(stage.handles))[place]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    assert host.pid is not None
    await stage.settle()
    stage.clock.strike(hit)
    kill(host.pid)


async def kill_branches(stage: Stage) -> None:
    """A host is killed on which only branches live: it came up when all sessions had begun elsewhere."""
    before = {host.name for host in await hosts_of(stage.handles)}
    assert stage.nodes is not None
    stage.ledger.holds = lambda path: path.endswith("/first")
    await stage.ledger.until(stage.sessions.count)
    await asyncio.to_thread(stage.nodes.add)
    found = await within(LIMIT_S, until_hosts(stage.handles, len(before) + 1))
    (new,) = (host for host in found if host.name not in before)
    stage.ledger.release()
    await stage.sessions.part(0.4)
    (now,) = (host for host in await hosts_of(stage.handles) if host.name == new.name)
    assert now.actors > 0, "no branch lives on the new host"
    assert now.runs == 0
    await stage.settle()
    stage.clock.strike()
    assert now.pid is not None
    kill(now.pid)


async def kill_node(stage: Stage) -> None:
    """The raylet of a node is killed, and all on it ends; the journal is on another."""
    assert stage.nodes is not None
    await stage.sessions.part(0.3)
    node = stage.nodes.ids[1]
    (host,) = (host for host in await hosts_of(stage.handles) if host.node == node)
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    await stage.settle()
    stage.clock.strike(hit)
    stage.nodes.kill(node)


async def kill_journal(stage: Stage) -> None:
    """The journal's actor is killed; Ray starts it again."""
    await _kill_actor(stage, "journal-0")


async def kill_supervisor(stage: Stage) -> None:
    """The supervisor is killed; Ray starts it again."""
    await _kill_actor(stage, "supervisor")


async def kill_supervisor_and_host(stage: Stage) -> None:
    """A host is killed while the supervisor is being started again."""
    await stage.sessions.part(0.3)
    host = (await hosts_of(stage.handles))[0]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    pid = process_of(stage.handles, "supervisor")
    assert host.pid is not None
    await stage.settle()
    stage.clock.strike(hit)
    kill(pid)
    kill(host.pid)


async def _kill_actor(stage: Stage, name: str) -> None:
    await stage.sessions.part(0.3)
    pid = process_of(stage.handles, name)
    await stage.settle()
    stage.clock.strike()
    kill(pid)
    await within(LIMIT_S, replaced(stage.handles, name, pid))


async def freeze(stage: Stage) -> None:
    """A host stands still until it is held for lost, and wakes then: it ends, and what it says is refused."""
    await stage.sessions.part(0.3)
    host = (await hosts_of(stage.handles))[0]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    assert host.pid is not None
    await stage.settle()
    stage.clock.strike(hit)
    os.kill(host.pid, signal.SIGSTOP)
    try:
        await within(LIMIT_S, _until_gone(stage, host.name))
        first = [f"/{name}/" for name in hit]
        while stage.ledger.first_since(stage.clock.fault, tuple(first)) is None:
            await asyncio.sleep(0.05)
    finally:
        os.kill(host.pid, signal.SIGCONT)
    await within(LIMIT_S, ended(host.pid))


async def _until_gone(stage: Stage, host: str) -> None:
    while host in {found.name for found in await hosts_of(stage.handles)}:
        await asyncio.sleep(0.1)
