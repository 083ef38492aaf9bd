"""What happens to a cluster in the midst of its sessions."""

import asyncio
import os
import signal
from collections.abc import Sequence
from time import monotonic

from chidori_actors.placement.clusters import HostStatus
from tests.support.agents import within

from .cut_hosts import cut
from .faults import ended, homed_at, hosts_of, kill, process_of, until, until_replaced
from .stage import LIMIT_S, Stage


async def kill_home(stage: Stage) -> None:
    """A host is killed on which sessions are at home."""
    host = await _busy_host(stage)
    assert host.pid is not None
    kill(host.pid)


async def _busy_host(stage: Stage) -> HostStatus:
    """A host whose sessions are in the midst of their calls; the fault is to hit it at once."""
    await stage.sessions.part(0.1)
    host = (await hosts_of(stage.handles))[0]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    await stage.sessions.part(0.35, hit)
    await stage.settle()
    stage.clock.strike(hit)
    return host


async def kill_several(stage: Stage) -> None:
    """Hosts are killed one after the other, the last while the others' sessions are still being moved."""
    for share in (0.2, 0.4):
        await stage.sessions.part(share)
        await _kill_first_host(stage)
    await _kill_first_host(stage)


async def _kill_first_host(stage: Stage) -> None:
    host = (await hosts_of(stage.handles))[0]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    assert host.pid is not None
    await stage.settle()
    stage.clock.strike(hit)
    kill(host.pid)


async def kill_branches(stage: Stage) -> None:
    """A host is killed on which only branches live."""
    host = await only_branches(stage)
    assert host.pid is not None
    await stage.settle()
    stage.clock.strike()
    kill(host.pid)


async def only_branches(stage: Stage) -> HostStatus:
    """Wait until many branches and no sessions live on a host, whose node is added once all sessions have begun."""
    assert stage.nodes is not None
    stage.ledger.holds = lambda path: path.endswith("/first")
    await stage.sessions.begun()
    node = stage.nodes.add()
    await within(LIMIT_S, _until_up(stage, node))
    stage.ledger.release()
    await stage.sessions.part(0.4)
    new = [host for host in await hosts_of(stage.handles) if host.node == node]
    fullest = max(new, key=lambda host: host.actors)
    assert fullest.actors > 0, "no branch lives on the new node"
    assert [host.runs for host in new] == [0] * len(new)
    return fullest


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
    assert pid is not None
    await stage.settle()
    stage.clock.strike(hit)
    kill(pid)
    kill(host.pid)


async def _kill_actor(stage: Stage, name: str) -> None:
    await stage.sessions.part(0.3)
    pid = process_of(stage.handles, name)
    assert pid is not None
    await stage.settle()
    stage.clock.strike()
    kill(pid)
    await within(LIMIT_S, until_replaced(stage.handles, name, pid))


async def freeze(stage: Stage) -> None:
    """A host stands still until it is held for lost, and wakes then: it ends, and what it says is refused."""
    host = await _busy_host(stage)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGSTOP)
    try:
        await within(LIMIT_S, _until_gone(stage, host.name))
        await within(LIMIT_S, _until_asked_by(stage, stage.clock.hit))
    finally:
        os.kill(host.pid, signal.SIGCONT)
    await within(LIMIT_S, ended(host.pid))


async def _until_gone(stage: Stage, host: str) -> None:
    async def is_gone() -> bool:
        return host not in {found.name for found in await hosts_of(stage.handles)}

    await until(is_gone)


async def _until_asked_by(stage: Stage, names: Sequence[str]) -> None:
    """Wait until one of the sessions asks for something after now."""
    now, prefixes = monotonic(), tuple(f"/{name}/" for name in names)

    async def has_asked() -> bool:
        return stage.ledger.first_since(now, prefixes) is not None

    await until(has_asked)


async def cut_from_journal(stage: Stage) -> None:
    """A host cannot reach the journal, but everything else: it ends, and its actors go on elsewhere."""
    host = await _busy_host(stage)
    assert host.pid is not None
    cut(stage.handles.config, host.name)
    await within(LIMIT_S, ended(host.pid))


async def cut_for_a_moment(stage: Stage) -> None:
    """The same for a shorter time than after which it is lost: it goes on itself."""
    await stage.sessions.part(0.3)
    host = (await hosts_of(stage.handles))[0]
    hit = await homed_at(stage.handles, host.name, stage.sessions.names)
    stage.clock.strike(hit)
    file = cut(stage.handles.config, host.name)
    await asyncio.sleep(stage.handles.config.lost_after_s / 2)  # the fault itself: so long it lasts
    file.unlink()
    assert host.name in {found.name for found in await hosts_of(stage.handles)}


async def add_node(stage: Stage) -> None:
    """A node is added while half of the sessions have made their branches, and takes its part of the others'."""
    assert stage.nodes is not None
    stage.ledger.holds = lambda path: path.endswith(("1/first", "3/first", "5/first", "7/first", "9/first"))
    await stage.sessions.part(0.2)
    stage.clock.strike()
    node = stage.nodes.add()
    await within(LIMIT_S, _until_up(stage, node))
    stage.ledger.release()
    await within(LIMIT_S, _until_used(stage, node))


async def _until_up(stage: Stage, node: str) -> None:
    async def is_up() -> bool:
        return any(host.node == node for host in await hosts_of(stage.handles))

    await until(is_up)


async def _until_used(stage: Stage, node: str) -> None:
    async def is_used() -> bool:
        return any(host.actors for host in await hosts_of(stage.handles) if host.node == node)

    await until(is_used)


async def nothing(stage: Stage) -> None:
    """The cluster has too little room for all at once."""
    stage.clock.strike()
