"""A server that keeps account of every request: which ones came twice, and whether they said so."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from time import monotonic

from aiohttp import web

from tests.support.http_server import serve


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: what it is answered differs from every other."""

    key: str
    answer: int
    at: float


class Ledger:
    """Requests by path, counted as they come: of one that is cut off nobody knows what it did. ``?ms=`` is how long
    the answer takes; paths that ``holds`` names wait until ``release``."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: dict[str, list[Request]] = {}
        self.holds: Callable[[str], bool] = lambda path: False
        self._asked: Counter[str] = Counter()
        self._numbers = count(1)
        self._more = asyncio.Event()
        self._released = asyncio.Event()

    @property
    def total(self) -> int:
        return sum(map(len, self.requests.values()))

    @property
    def repeated(self) -> dict[str, int]:
        """The paths that came more than once, and how often."""
        return {path: len(asked) for path, asked in self.requests.items() if len(asked) > 1}

    async def until(self, number: int, names: Iterable[str]) -> None:
        """Wait until so many different requests came to paths of those sessions."""
        chosen = tuple(names)
        while sum(self._asked[name] for name in chosen) < number:
            self._more.clear()
            await self._more.wait()

    def release(self) -> None:
        """Let go what is held, and hold nothing more."""
        self._released.set()

    def first_since(self, moment: float, prefixes: tuple[str, ...]) -> float | None:
        """After how many seconds the first request to a path with one of the prefixes came."""
        times = [
            asked.at
            for path, asks in self.requests.items()
            if path.startswith(prefixes)
            for asked in asks
            if asked.at > moment
        ]
        return min(times) - moment if times else None

    async def handle(self, request: web.Request) -> web.Response:
        answer = next(self._numbers)
        asked = Request(request.headers.get("Idempotency-Key", ""), answer, monotonic())
        if request.path not in self.requests:
            self.requests[request.path] = []
            self._asked[request.path.split("/")[1]] += 1
        self.requests[request.path].append(asked)
        self._more.set()
        if self.holds(request.path):
            await self._released.wait()
        await asyncio.sleep(int(request.query.get("ms", "0")) / 1000)
        return web.json_response({"answer": answer})


@asynccontextmanager
async def ledger() -> AsyncIterator[Ledger]:
    """A ledger for the length of the block."""
    made = Ledger()
    async with serve(made.handle) as server:
        made.url = server.url
        yield made
        made.release()
