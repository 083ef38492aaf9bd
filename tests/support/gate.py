"""A server that holds every request until the test lets it through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from .http_server import serve


class Gate:
    """``closed`` paths wait; ``gone`` is set once a client went away while it waited."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.gone = asyncio.Event()
        self._open: dict[str, asyncio.Event] = {}
        self._more = asyncio.Event()

    def open(self, path: str) -> None:
        """Let the requests to that path through from now on."""
        self._event(path).set()

    async def until_asked(self, path: str, times: int = 1) -> None:
        """Wait until so many requests to the path came."""
        while self.asked.count(path) < times:
            self._more.clear()
            await self._more.wait()

    def _event(self, path: str) -> asyncio.Event:
        return self._open.setdefault(path, asyncio.Event())

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self._more.set()
        try:
            await self._event(request.path).wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return web.json_response({"through": request.path, "times": self.asked.count(request.path)})


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    """A gate for the length of the block."""
    made = Gate()
    async with serve(made._handle) as server:
        made.url = server.url
        yield made
        for path in set(made.asked):
            made.open(path)
