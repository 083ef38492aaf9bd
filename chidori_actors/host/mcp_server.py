"""One configured MCP server of a run, across its restarts."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp_types import Tool

from .function import HostError
from .mcp_config import ServerConfig, StdioServer
from .mcp_connection import McpConnection, Undelivered
from .mcp_result import result_json

_MOST_STARTS = 2

T = TypeVar("T")


class McpServer:
    """Connects at the first use, and again when a later use finds the connection gone.

    A process is restarted once in a run, so that one that always dies is not started forever; a server that is
    reached over HTTP starts nothing of ours, and every use may connect anew.
    """

    def __init__(self, config: ServerConfig, warn: Callable[[str], None], start_seconds: float) -> None:
        self._config = config
        self._warn = warn
        self._start_seconds = start_seconds
        self._connection: McpConnection | None = None
        self._starts = 0
        self._closing = False

    async def tools(self) -> tuple[Tool, ...]:
        """Every tool of the server. Raises ``HostError`` when it cannot be started."""
        return await self._use(lambda connection: connection.tools())

    async def call(self, tool: str, arguments: dict[str, Any]) -> bytes:
        """Call a tool and give its result as JSON text.

        Raises:
            HostError: there is no such tool, the server is not there, or the call failed.
        """
        return await self._use(lambda connection: self._call(connection, tool, arguments))

    def close(self) -> None:
        """Begin to end it; every use from now on fails."""
        self._closing = True
        if self._connection is not None:
            self._connection.close()

    async def closed(self) -> None:
        """Wait until its processes are gone."""
        if self._connection is not None:
            await self._connection.closed()

    async def _call(self, connection: McpConnection, name: str, arguments: dict[str, Any]) -> bytes:
        tool = await self._find(connection, name)
        return result_json(tool, await connection.call(name, arguments))

    async def _find(self, connection: McpConnection, name: str) -> Tool:
        for _ in range(2):  # the list may have grown since it was read
            listed = await connection.tools()
            if tool := next((tool for tool in listed if tool.name == name), None):
                return tool
            connection.forget_tools()
        server = self._config.name
        available = ", ".join(f"{server}__{tool.name}" for tool in listed)
        raise HostError(f"Unknown tool: {server}__{name} (available: {available})")

    async def _use(self, work: Callable[[McpConnection], Awaitable[T]]) -> T:
        try:
            return await work(await self._connected())
        except Undelivered:
            return await work(await self._connected())

    async def _connected(self) -> McpConnection:
        while True:
            if self._closing:
                raise HostError(f"mcp: server `{self._config.name}` was closed with the run")
            connection = self._connection
            if connection is None:
                connection = self._connection = self._start(None)
            elif connection.ended:
                await connection.closed()
                if connection is self._connection and not self._closing:
                    self._connection = self._start(connection)
                continue
            await connection.opened()
            return connection

    def _start(self, before: McpConnection | None) -> McpConnection:
        if before is not None:
            is_process = isinstance(self._config, StdioServer)
            if is_process and self._starts >= _MOST_STARTS:
                raise HostError(
                    f"mcp: server `{self._config.name}` was restarted once and is gone again; it is not started any "
                    f"more in this run: {before.why()}",
                    notes=before.notes,
                )
            done = "started" if is_process else "connected to"
            self._warn(f"mcp: server `{self._config.name}` is {done} again: {before.reason()}")
            for warning in before.notes.get("warnings", ()):
                self._warn(warning)
        self._starts += 1
        return McpConnection(self._config, self._start_seconds)
