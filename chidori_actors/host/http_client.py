"""The HTTP client of a process: connects to checked addresses only, and follows redirects hop by hop."""

import asyncio
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .addresses import is_ip_address, is_private_address, names_host
from .function import HostError
from .http_request import HttpRequest

_MOST_REDIRECTS = 10
_LARGEST_BODY = 16 << 20
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_CONNECTIONS = 1000


class TransportError(Exception):
    """No complete response came; the text says why."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response whose body was read: decompressed bytes, headers as they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content_type: str
    charset: str | None
    body: bytes


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
        self, request: HttpRequest, allow_hosts: tuple[str, ...], check_redirect: Callable[[HttpRequest], None]
    ) -> HttpResponse:
        """Send a request, follow its redirects and read the answer.

        Raises:
            HostError: a hop leads to a private address that ``allow_hosts`` does not name, or ``check_redirect``,
                which is asked before each redirect is followed, refuses it.
            TransportError: no complete response came.
        """
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                answer = await self._hop(request, allow_hosts)
                if isinstance(answer, HttpResponse):
                    return answer
                check_redirect(answer)
                request = answer
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError(str(error) or type(error).__name__) from error
        raise TransportError(f"more than {_MOST_REDIRECTS} redirects")

    async def _hop(self, request: HttpRequest, allow_hosts: tuple[str, ...]) -> HttpResponse | HttpRequest:
        url = request.url
        # The connector asks no resolver about an address.
        if is_ip_address(url.host) and is_private_address(url.host) and not names_host(allow_hosts, url.host, url.port):
            raise _refusal(url.host, url.host)
        async with self._session(allow_hosts).request(
            request.method,
            URL(url.text, encoded=True),
            headers=request.headers,
            data=None if request.body is None else io.BytesIO(request.body),
            skip_auto_headers=("Content-Type",),  # a request without a body has none
            allow_redirects=False,
        ) as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location is not None:
                try:
                    return request.redirected(response.status, location)
                except ValueError as error:
                    raise TransportError(f"redirect to {location!r}: {error}") from error
            return HttpResponse(
                status=response.status,
                headers=tuple(response.headers.items()),
                content_type=response.content_type,
                charset=response.charset,
                body=await _read_bounded(response),
            )

    def _session(self, allow_hosts: tuple[str, ...]) -> aiohttp.ClientSession:
        session = self._sessions.get(allow_hosts)
        if session is None:
            session = self._sessions[allow_hosts] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_CheckedResolver(allow_hosts), limit=_MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "chidori-actors"},
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return session


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _LARGEST_BODY:
            response.close()
            raise TransportError(f"the body is larger than {_LARGEST_BODY >> 20} MB")
    return bytes(body)
