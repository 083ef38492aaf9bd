"""Nodes that are drained in the midst of the sessions: everything on them moves, and no call is made twice."""

from tests.cli.console import command_line, environment
from tests.support.process import finished

from .faults import hosts_of
from .scenarios import only_branches
from .stage import Stage


async def drain_node(stage: Stage) -> None:
    """A node with sessions and branches."""
    assert stage.nodes is not None
    await stage.sessions.part(0.3)
    await _drain(stage, stage.nodes.ids[1])


async def drain_branches(stage: Stage) -> None:
    """A node that has branches only."""
    await _drain(stage, (await only_branches(stage)).node)


async def _drain(stage: Stage, node: str) -> None:
    await stage.settle()
    stage.clock.strike()
    code, out, err = await _command(stage, "cluster", "drain", node[:12])
    assert code == 0, (out, err)
    assert not [host for host in await hosts_of(stage.handles) if host.node == node], "the node is not empty"


async def _command(stage: Stage, *arguments: str) -> tuple[int, bytes, str]:
    assert stage.nodes is not None
    command = command_line(*arguments, "--address", stage.nodes.address)
    settings = environment(stage.sessions.folder, RAY_AUTH_MODE="disabled")
    return await finished(*command, cwd=stage.sessions.folder, env=settings)
