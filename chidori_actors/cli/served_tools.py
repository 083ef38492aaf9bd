"""The tools of the configured MCP servers, which are started to be asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..host.function import HostError
from ..host.mcp_config import load_mcp_config
from ..host.mcp_servers import McpServers, McpTool
from ..host.secrets import Secrets
from ..policy import Policy
from ..settings import Settings
from .output import write
from .screen import printable


@dataclass(frozen=True, slots=True)
class ServerTools:
    """What a server answered: its tools, or why it could not be asked."""

    server: str
    tools: Sequence[McpTool]
    error: str | None = None


async def ask_servers(config: Path, settings: Settings) -> list[ServerTools]:
    """Start every server of the MCP configuration side by side, ask for its tools, and end it.

    Raises:
        UsageError: the configuration cannot be read.
    """
    # Nothing is sent to a tool, so that the seed of placeholders does not matter.
    secrets = Secrets(settings.environ, "", Policy.load(settings).hosts_for)
    servers = McpServers(load_mcp_config(config, settings.environ), secrets, _warn)
    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_ask(servers, name)) for name in servers.names]
        return [task.result() for task in asked]
    finally:
        await servers.aclose()


async def _ask(servers: McpServers, name: str) -> ServerTools:
    try:
        return ServerTools(name, await servers.tools(name))
    except HostError as error:
        return ServerTools(name, (), str(error))


def _warn(text: str) -> None:
    write(printable(text), err=True)
