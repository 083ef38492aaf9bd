"""The HTTP client of a process: connects to checked addresses only, and follows redirects hop by hop."""

import asyncio
import io
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ..urls import HttpUrl
from .addresses import is_ip_address, is_private_address, looks_like_ipv4, names_host
from .content_encoding import ACCEPT_ENCODING, BodyDecoder, EncodingError, TooLarge
from .function import HostError
from .http_request import HttpRequest
from .transport_errors import TRANSPORT_ERRORS, described

_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_LEAST_STATUS = 100
_MOST_CONNECTIONS = 1000
# A byte of a header that is not UTF-8, as the library gives it.
_LONE_BYTE = re.compile("[\udc80-\udcff]")


class TransportError(Exception):
    """No complete response came; the text says why."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response whose body was read: decoded bytes, headers as they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content_type: str
    charset: str | None
    body: bytearray


def _refusal(host: str, address: str) -> HostError:
    what = f"{host} is a private address" if address == host else f"{host} resolves to {address}, a private address"
    return HostError(f"http: {what}; name {host} in CHIDORI_HTTP_ALLOW_HOSTS to allow it")


class _CheckedResolver(AbstractResolver):
    """Resolves a name and refuses private addresses.

    The connector connects to exactly the addresses returned here, so a name cannot change its address between
    the check and the connection.
    """

    def __init__(self, allow_hosts: tuple[str, ...]) -> None:
        self._allow_hosts = allow_hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
        allowed = names_host(self._allow_hosts, host, port)
        results: list[ResolveResult] = []
        for found_family, _, proto, _, address in found:
            ip = str(address[0])
            if not allowed and is_private_address(ip):
                raise _refusal(host, ip)
            results.append(
                ResolveResult(
                    hostname=host,
                    host=ip,
                    port=port,
                    family=found_family,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing is held."""


class HttpClient:
    """Sends requests; connections are kept and reused, cookies are not."""

    def __init__(self) -> None:
        # Connections are pooled per list: one that a list allowed must not serve another.
        self._sessions: dict[tuple[str, ...], aiohttp.ClientSession] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    async def exchange(
        self,
        request: HttpRequest,
        allow_hosts: tuple[str, ...],
        max_body_bytes: int,
        check_redirect: Callable[[HttpRequest], None],
    ) -> HttpResponse:
        """Send a request, follow its redirects and read the answer, whose body may have ``max_body_bytes`` decoded.

        Raises:
            HostError: a hop leads to a private address that ``allow_hosts`` does not name, or ``check_redirect``,
                which is asked before each redirect is followed, refuses it.
            TransportError: no complete response came.
        """
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                answer = await self._hop(request, allow_hosts, max_body_bytes)
                if isinstance(answer, HttpResponse):
                    return answer
                check_redirect(answer)
                request = answer
        except TRANSPORT_ERRORS as error:
            raise TransportError(described(error)) from error
        raise TransportError(f"more than {_MOST_REDIRECTS} redirects")

    async def _hop(
        self, request: HttpRequest, allow_hosts: tuple[str, ...], max_body_bytes: int
    ) -> HttpResponse | HttpRequest:
        url = request.url
        _check_address(url, allow_hosts)
        async with self._session(allow_hosts).request(
            request.method,
            URL(url.text, encoded=True),
            headers=request.headers,
            data=None if request.body is None else io.BytesIO(request.body),
            skip_auto_headers=("Content-Type",),  # a request without a body has none
            allow_redirects=False,
        ) as response:
            if response.status < _LEAST_STATUS:  # 0 is what the agent gets when there is no response
                raise TransportError(f"the response is not valid HTTP: its status is {response.status}")
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location is not None:
                location = _LONE_BYTE.sub(lambda byte: f"%{ord(byte[0]) & 0xFF:02X}", location)
                try:
                    return request.redirected(response.status, location)
                except ValueError as error:
                    raise TransportError(f"redirect to {location!r}: {error}") from error
            return HttpResponse(
                status=response.status,
                headers=tuple(response.headers.items()),
                content_type=response.content_type,
                charset=response.charset,
                body=await _read_body(response, max_body_bytes),
            )

    def _session(self, allow_hosts: tuple[str, ...]) -> aiohttp.ClientSession:
        session = self._sessions.get(allow_hosts)
        if session is None:
            session = self._sessions[allow_hosts] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_CheckedResolver(allow_hosts), limit=_MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "chidori-actors", "Accept-Encoding": ACCEPT_ENCODING},
                auto_decompress=False,  # what the library unpacks at once depends on its version
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return session


def _check_address(url: HttpUrl, allow_hosts: tuple[str, ...]) -> None:
    """The connector asks no resolver about an address, nor, in some versions, about what looks like one."""
    host = url.host
    if not is_ip_address(host):
        if looks_like_ipv4(host):
            raise HostError(
                f"http: {host} is not the usual form of an IP address, and could hide a private address; "
                "write four numbers, as in 192.0.2.1"
            )
    elif is_private_address(host) and not names_host(allow_hosts, host, url.port):
        raise _refusal(host, host)


async def _read_body(response: aiohttp.ClientResponse, cap: int) -> bytearray:
    decoder = BodyDecoder(", ".join(response.headers.getall("Content-Encoding", ())), cap)
    try:
        with _told_when_closed(response):
            async for piece in response.content.iter_any():
                decoder.feed(piece)
        return decoder.finish()
    except EncodingError as error:
        raise TransportError(str(error)) from error
    except TooLarge:
        raise TransportError(f"the body is larger than {cap} bytes, the cap of CHIDORI_HTTP_MAX_BODY_BYTES") from None


@contextmanager
def _told_when_closed(response: aiohttp.ClientResponse) -> Iterator[None]:
    """The library closes the connection at an invalid chunk without a word to the reader, who would wait for ever."""
    protocol = response.connection.protocol if response.connection is not None else None
    if protocol is None:  # the whole body is here
        yield
        return

    def tell(_: object) -> None:
        if not response.content.is_eof() and response.content.exception() is None:
            response.content.set_exception(protocol.exception() or aiohttp.ServerDisconnectedError())

    closed = protocol.closed
    if closed is None:
        tell(None)
        yield
        return
    closed.remove_done_callback(_look_at)
    closed.add_done_callback(_look_at)
    closed.add_done_callback(tell)
    try:
        yield
    finally:
        closed.remove_done_callback(tell)


def _look_at(closed: asyncio.Future[None]) -> None:
    """An exception that nobody looks at would be logged with a traceback."""
    if not closed.cancelled():
        closed.exception()
