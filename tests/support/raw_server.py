"""A server on 127.0.0.1 that answers with whatever bytes a test makes, HTTP or not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class RawServer:
    """Where it listens, the heads of the requests that came, and whether a client hung up on an endless answer."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def once(*pieces: bytes) -> Answer:
    """Send the pieces, each in a segment of its own as far as that can be had, then close."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


def endless(first: bytes, piece: bytes) -> Answer:
    """Send ``first``, and then ``piece`` until the client hangs up."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()

    return answer


@asynccontextmanager
async def serve_raw(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, wait_for: bytes = b"\r\n\r\n"
) -> AsyncIterator[RawServer]:
    """Answer every request with ``answer``, once ``wait_for`` has come, for the length of the ``async with`` block."""
    served = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if wait_for:
                served.heads.append(await reader.readuntil(wait_for))
            try:
                await answer(writer)
            except ConnectionError:
                served.hung_up.set()
        writer.close()

    server = await asyncio.start_server(handle, host, port)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
