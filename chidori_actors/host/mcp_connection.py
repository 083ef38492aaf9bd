"""One life of an MCP server: from its start, or the first request to it, to its death."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, TypeVar

import httpx2
from mcp.client import Client, IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolResult,
    Implementation,
    Tool,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from .function import HostError
from .mcp_config import ServerConfig, StdioServer
from .mcp_transport import StderrTail, open_transport

_MOST_PAGES = 1000
_MOST_FAULTS = 3
_HTTP_GOODBYE_S = 5.0
_ON_STDERR = "what it wrote on stderr is in the warnings of the call's record"

T = TypeVar("T")


class Undelivered(HostError):
    """The server did not get the request, so that it can be made again on another connection."""


class McpConnection:
    """A connection that opens at once and lives until ``close`` or until the server ends it.

    The library's contexts must be entered and left in the same task: that task is ``_owner``.

    Args:
        start_seconds: How long the server may take until it has answered `initialize`.
    """

    def __init__(self, server: ServerConfig, start_seconds: float) -> None:
        self._server = server
        self._start_seconds = start_seconds
        self._stderr = StderrTail()
        self._opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._client: Client | None = None
        self._cause: Exception | None = None
        self._status = 0
        self._in_flight = 0
        self._in_flight_at_end = 0
        self._tools: tuple[Tool, ...] | None = None
        self._closing = False
        self._late = False
        self._owner = asyncio.create_task(self._own(), name=f"mcp {server.name}")
        self._owner.add_done_callback(lambda _: self._on_done())

    @property
    def ended(self) -> bool:
        """Whether it takes no more requests; what it leaves behind may still be on its way out."""
        return self._closing or (self._opened.is_set() and self._ended.is_set())

    async def opened(self) -> None:
        """Wait until the server has answered `initialize`; raises ``HostError`` when it did not."""
        await self._opened.wait()
        if self._client is None:
            done = "started" if isinstance(self._server, StdioServer) else "reached"
            raise HostError(f"mcp: server `{self._server.name}` could not be {done}: {self.why()}", notes=self.notes)

    def close(self) -> None:
        """Begin to end it, the server's processes included; ``closed`` waits for that."""
        if not self._closing:
            self._closing = True
            self._interrupt()

    async def closed(self) -> None:
        """Wait until nothing of it is left; bounded, as the library kills a process that does not end (6.5 s)."""
        await asyncio.wait([self._owner])

    def why(self) -> str:
        """The reason for an agent, and where to look for more."""
        return self.reason() + (f"; {_ON_STDERR}" if self._stderr.lines else "")

    @property
    def notes(self) -> dict[str, list[str]]:
        """``warnings`` of a call that failed by it: the last lines of stderr, which may tell of the machine."""
        lines = "".join(f"\n  {line}" for line in self._stderr.lines)
        return {"warnings": [f"mcp: server `{self._server.name}` wrote on stderr:{lines}"]} if lines else {}

    async def tools(self) -> tuple[Tool, ...]:
        """Every tool that the server lists, asked for once. Raises ``Undelivered`` when it dies meanwhile."""
        if self._tools is None:
            self._tools = await self._list_tools()
        return self._tools

    def forget_tools(self) -> None:
        """Ask for the list of tools again at its next use."""
        self._tools = None

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """Call a tool by the server's name for it; cancelling cancels it on the server.

        Raises:
            Undelivered: the connection was gone before the call.
            HostError: the server refused the call, or died during it.
        """
        name = f"{self._server.name}__{tool}"
        try:
            return await self._request(f"`{name}`", lambda client: client.call_tool(tool, arguments))
        except _Lost as lost:
            if self._provably_unsent():
                unreached = f"mcp: server `{self._server.name}` cannot be reached: {self.why()}"
                raise Undelivered(unreached, notes=self.notes) from None
            died = "died" if isinstance(self._server, StdioServer) else "was lost"
            detail = self.why() if self.ended else str(lost)
            raise HostError(
                f"mcp: server `{self._server.name}` {died} during `{name}`; the outcome is unknown ({detail})",
                notes=self.notes,
            ) from None

    async def _list_tools(self) -> tuple[Tool, ...]:
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._list_page(cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found)
        raise HostError(f"mcp: server `{self._server.name}` lists its tools on more than {_MOST_PAGES} pages")

    async def _list_page(self, cursor: str | None) -> Any:
        what = f"the list of tools of server `{self._server.name}`"
        try:
            return await self._request(what, lambda client: client.list_tools(cursor=cursor))
        except _Lost:
            raise Undelivered(f"mcp: {what} cannot be read: {self.why()}", notes=self.notes) from None

    async def _request(self, what: str, send: Callable[[Client], Awaitable[T]]) -> T:
        if self._client is None or self.ended:
            raise Undelivered(f"mcp: server `{self._server.name}` is gone: {self.why()}", notes=self.notes)
        self._in_flight += 1
        try:
            return await send(self._client)
        except MCPError as error:
            if error.message == "Session terminated":  # what the library makes of 404: the server knows us no more
                self._cause = ConnectionError("it ended the session")
                self.close()
                raise Undelivered(f"mcp: server `{self._server.name}` ended the session") from None
            if not self.ended and not _tells_loss(error):
                status = f" (HTTP {self._status})" if error.message == "Server returned an error response" else ""
                raise HostError(f"mcp: {what}: {error.message}{status}") from None
            if self.ended:
                await self.closed()  # only then is known why
            raise _Lost(error.message) from None
        except Exception as error:
            raise HostError(f"mcp: {what}: the server's answer cannot be used: {_told(error)}") from None
        finally:
            self._in_flight -= 1

    def _provably_unsent(self) -> bool:
        """With several requests in flight it is not known which of them found nobody."""
        unsent = isinstance(self._cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        return self.ended and unsent and self._in_flight_at_end == 1

    def reason(self) -> str:
        """Why it could not be opened or ended."""
        match self._cause:
            case _ if self._late:
                return f"it did not answer `initialize` within {self._start_seconds:g} s"
            case None:
                return "the run ended it" if self._closing else "it ended"
            case MCPError() as error if _tells_loss(error):
                return "it ended before it had answered `initialize`"
            case MCPError() as error:
                status = f"HTTP {self._status}: " if self._status >= 400 else ""
                return f"it refused the connection: {status}{error.message}"
            case OSError() as error:
                # Its own text has the path of the program, and agents read this.
                program = f": '{PurePath(self._server.command).name}'" if isinstance(self._server, StdioServer) else ""
                return f"{error.strerror}{program}" if error.strerror else str(error)
            case error:
                return str(error) or "the connection failed"

    async def _own(self) -> None:
        timer = asyncio.get_running_loop().call_later(self._start_seconds, self._on_late)
        try:
            async with AsyncExitStack() as stack:
                self._client = await self._open(stack)
                timer.cancel()
                self._opened.set()
                await self._ended.wait()
        except asyncio.CancelledError:
            if not self._late:
                raise
        except Exception as error:
            self._cause = _first(error)
        finally:
            timer.cancel()

    async def _open(self, stack: AsyncExitStack) -> Client:
        if not isinstance(self._server, StdioServer):
            return await stack.enter_async_context(self._new_client("auto"))
        try:
            # Not "auto": its probe before `initialize` makes servers exit that do not know it.
            return await stack.enter_async_context(self._new_client("legacy"))
        except Exception as error:
            cause = _first(error)
            refused = isinstance(cause, MCPError) and cause.code == UNSUPPORTED_PROTOCOL_VERSION
            if not refused or self._closing or self._late:
                raise
        self._ended.clear()
        return await stack.enter_async_context(self._new_client("auto"))

    def _interrupt(self) -> None:
        """Make the owner leave: at most one cancellation, and none while it leaves already.

        The library shields its clean-up against its own kind of cancellation, not against that of the task.
        """
        if self._ended.is_set() or (self._closing and self._late):
            return
        self._owner.cancel()
        if not isinstance(self._server, StdioServer):
            # It says goodbye with a request, which nobody may answer.
            goodbye = asyncio.get_running_loop().call_later(_HTTP_GOODBYE_S, self._owner.cancel)
            self._owner.add_done_callback(lambda _: goodbye.cancel())

    def _new_client(self, mode: str) -> Client:
        return Client(
            open_transport(self._server, self._stderr, self._on_end, self._on_status),
            mode=mode,
            cache=None,
            client_info=Implementation(name="chidori-actors", version=version("chidori-actors")),
            message_handler=self._on_message,
        )

    def _on_late(self) -> None:
        self._late = True
        self._interrupt()

    def _on_done(self) -> None:
        self._ended.set()
        self._opened.set()

    def _on_end(self) -> None:
        self._in_flight_at_end = self._in_flight
        self._ended.set()

    def _on_status(self, status: int) -> None:
        self._status = status

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.forget_tools()


class _Lost(Exception):
    """The connection broke while a request was under way."""


def _tells_loss(error: MCPError) -> bool:
    """Whether the library made the error; a server's own may have the same code."""
    return error.code == CONNECTION_CLOSED and error.message.startswith(("Connection closed", "SSE stream "))


def _told(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors(include_url=False, include_input=False)[:_MOST_FAULTS]
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)


def _first(error: Exception) -> Exception:
    """The first error that is not a group: task groups wrap what goes wrong in them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
