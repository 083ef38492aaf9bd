"""The asynchronous driver, over aiohttp."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from .address import Address, Timeouts, keep_alive
from .errors import ClientError
from .exchange import (
    Answer,
    Emit,
    Flow,
    Items,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Send,
    Step,
    TransportFailure,
    advance,
    result,
    streams,
)

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")


class AsyncDriver:
    """Runs flows on the event loop of its first use, with a pool of connections until ``close``."""

    def __init__(self, address: Address, timeouts: Timeouts) -> None:
        self._address = address
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def call(self, flow: Flow[T]) -> T:
        """Run ``flow`` and return its result."""
        (item,) = [item async for item in self.iterate(result(flow))]
        return item

    async def iterate(self, items: Items[T]) -> AsyncGenerator[T, None]:
        """Run ``items`` and yield what it emits."""
        with closing(_Exchange(self._pool(), self._address, self._timeouts)) as exchange:
            answer: Answer = None
            while (step := advance(items, answer)) is not None:
                if isinstance(step, Emit):
                    answer = None
                    yield step.item
                else:
                    answer = await exchange.perform(step)

    async def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        session, self._session, self._loop = self._session, None, None
        if session is not None:
            await session.close()

    def _pool(self) -> "aiohttp.ClientSession":
        # aiohttp takes a quarter of a second to import: those who block never need it.
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None:
            # Any number of runs may be waited for at once.
            connector = aiohttp.TCPConnector(limit=0, socket_factory=_socket)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            self._loop = loop
        if loop is not self._loop:
            raise ClientError("the client belongs to another event loop", hint="make one AsyncAgentClient for each")
        return self._session


class _Exchange:
    """The response that is open, if one is."""

    def __init__(self, pool: "aiohttp.ClientSession", address: Address, timeouts: Timeouts) -> None:
        self._pool = pool
        self._address = address
        self._timeouts = timeouts
        self._open: aiohttp.ClientResponse | None = None

    async def perform(self, step: Step) -> Answer:
        import aiohttp

        try:
            match step:
                case Send(request):
                    return await self._send(request, may_stream=False)
                case Open(request):
                    return await self._send(request, may_stream=True)
                case Read():
                    return await self._read()
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                    return None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            reason = str(error) or "no answer in time"
            return TransportFailure(f"{self._address.base} cannot be reached: {reason}", sent=False)
        except TimeoutError:
            self.close()
            return TransportFailure("the server was silent for too long", sent=True)
        except (aiohttp.ClientError, OSError) as error:
            self.close()
            return TransportFailure(f"the connection was lost: {str(error) or type(error).__name__}", sent=True)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    async def _send(self, request: Request, *, may_stream: bool) -> Response:
        import aiohttp
        from yarl import URL

        self.close()
        silence = self._timeouts.silence(request)
        self._open = response = await self._pool.request(
            request.method,
            URL(self._address.base + request.path, encoded=True),
            data=request.body,
            headers=self._address.headers(request),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect, sock_read=silence),
        )
        named = {name.lower(): value for name, value in response.headers.items()}
        if may_stream and streams(response.status, named.get("content-type")):
            return Response(response.status, named)
        answer = Response(response.status, named, await response.read())
        # It was read to its end, so its connection is back in the pool.
        self._open = None
        return answer

    async def _read(self) -> bytes:
        return b"" if self._open is None else await self._open.content.readany()


def _socket(address: "aiohttp.AddrInfoType") -> socket.socket:
    made = socket.socket(address[0], address[1], address[2])
    keep_alive(made)
    return made
