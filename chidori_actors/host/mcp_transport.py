"""The streams to one MCP server. Importing this imports ``mcp``, which takes 0.6 s: do so at the first use only."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any

import httpx2
from mcp.client import Transport
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from .foreign_json import recordable_json
from .mcp_config import ServerConfig, StdioServer, UrlServer

_STDERR_LINES = 20
_STDERR_BYTES = 8192
_STDERR_DRAIN_S = 0.5
_HTTP_TIMEOUT_S = 30.0
_LARGEST_EVENT = 16 << 20

Item = SessionMessage | Exception


class Unreadable(Exception):
    """A message came that nobody can read, so that its call would never end: the connection ends instead."""


# What they log about a server that misbehaves, or about every URL, must not land on our stderr.
for _logger in map(logging.getLogger, ("mcp", "client", "httpx2")):
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False


class StderrTail(asyncio.Protocol):
    """The last lines that a process wrote on stderr."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._tail = b""

    @property
    def lines(self) -> list[str]:
        """At most 20 lines, the newest last; the first may be the end of a long one."""
        return self._tail.decode("utf-8", "replace").splitlines()[-_STDERR_LINES:]

    def data_received(self, data: bytes) -> None:
        tail = self._tail + data
        if len(tail) > _STDERR_BYTES:
            # Cut where a line or a word ends: half a secret would not be known as one.
            tail = tail[-_STDERR_BYTES:]
            tail = tail.partition(b"\n")[2] or tail.partition(b" ")[2] or tail
        self._tail = tail

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


class Incoming:
    """A transport's messages, with two additions to what the transport gives.

    ``on_end`` is called when nobody reads them any more, before the calls that wait for an answer are told. And a
    line that the library's parser refuses is read once more here: its call would otherwise wait forever.
    """

    def __init__(self, messages: Any, on_end: Callable[[], None]) -> None:
        self._messages = messages
        self._on_end = on_end

    async def receive(self) -> Item:
        return await self.__anext__()

    async def aclose(self) -> None:
        await self._messages.aclose()

    def __aiter__(self) -> "Incoming":
        return self

    async def __anext__(self) -> Item:
        item: Item = await self._messages.__anext__()
        return _read_again(item) if isinstance(item, ValidationError) else item

    async def __aenter__(self) -> "Incoming":
        await self._messages.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._on_end()
        await self._messages.__aexit__(kind, error, trace)


def _read_again(error: ValidationError) -> Item:
    """The message, lone surrogates replaced.

    Raises:
        Unreadable: it is a message that is broken in another way.
    """
    given = [fault["input"] for fault in error.errors(include_url=False)]
    line = next((text for text in given if isinstance(text, str)), "")
    try:
        # Not validate_json, which refuses what is nested more than 200 deep.
        return SessionMessage(jsonrpc_message_adapter.validate_python(json.loads(recordable_json(line)), by_name=False))
    except ValueError as fault:
        if '"jsonrpc"' in line or any(isinstance(part, dict) and "jsonrpc" in part for part in given):
            raise Unreadable("it sent a message that cannot be read") from fault
        return error  # something printed that was meant for a log


@asynccontextmanager
async def _stdio(server: StdioServer, stderr: StderrTail, on_end: Callable[[], None]) -> AsyncIterator[Any]:
    parameters = StdioServerParameters(
        command=server.command,
        args=list(server.args),
        env=dict(server.env),
        cwd=server.cwd,
        encoding_error_handler="replace",
    )
    async with _pipe_into(stderr) as errlog, stdio_client(parameters, errlog) as (reading, writing):
        errlog.close()
        yield Incoming(reading, on_end), writing


@asynccontextmanager
async def _pipe_into(stderr: StderrTail) -> AsyncIterator[Any]:
    """A file that a process can have as its stderr; what it writes goes to ``stderr``."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as errlog, os.fdopen(reading, "rb", 0) as source:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: stderr, source)
        try:
            yield errlog
        finally:
            errlog.close()
            # A child of the server that outlived it may hold the pipe open.
            with suppress(TimeoutError):
                await asyncio.wait_for(stderr.closed.wait(), _STDERR_DRAIN_S)
            transport.close()


@asynccontextmanager
async def _http(server: UrlServer, on_end: Callable[[], None], on_status: Callable[[int], None]) -> AsyncIterator[Any]:
    async def note_status(response: httpx2.Response) -> None:
        on_status(response.status_code)

    client = httpx2.AsyncClient(
        headers=dict(server.headers),
        # A tool may take as long as it likes: the agent decides how long it waits.
        timeout=httpx2.Timeout(_HTTP_TIMEOUT_S, read=None),
        event_hooks={"response": [note_status]},
    )
    async with (
        client,
        streamable_http_client(server.url, http_client=client, max_sse_event_size=_LARGEST_EVENT) as (reading, writing),
    ):
        yield Incoming(reading, on_end), writing


def open_transport(
    server: ServerConfig, stderr: StderrTail, on_end: Callable[[], None], on_status: Callable[[int], None]
) -> Transport:
    """The streams to ``server``: entering starts the process or the client, leaving ends it.

    Args:
        stderr: Gets what a process writes there.
        on_end: Called when the connection is over, before the calls in flight fail.
        on_status: Called with the status of every HTTP response.
    """
    if isinstance(server, StdioServer):
        return _stdio(server, stderr, on_end)
    return _http(server, on_end, on_status)
