"""Where the server is, and the key to it."""

import os
import socket
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from .errors import Invalid
from .exchange import Request
from .routes import header_value

_DEFAULT_URL = "http://127.0.0.1:8080"
_HINT = "give one like http://127.0.0.1:8080 as base_url or in CHIDORI_URL"
_KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. ``connect`` is for a connection to be made; ``idle`` for silence in the middle of an answer.

    A request that waits for a run has no limit. A stream that is silent for ``idle``, although the server sends
    a comment every 15 seconds, is opened again.
    """

    connect: float = 10.0
    idle: float = 60.0

    def silence(self, request: Request) -> float | None:
        """How long the answer to ``request`` may be silent."""
        return None if request.patient else self.idle


@dataclass(frozen=True, slots=True)
class Address:
    """A server's URL in its parts; ``prefix`` is the path before those of the API, without a slash at its end."""

    scheme: str
    host: str
    port: int
    prefix: str
    api_key: str | None = field(repr=False)

    @property
    def base(self) -> str:
        """The URL to which a request's path is appended."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def headers(self, request: Request) -> dict[str, str]:
        """All headers of ``request``."""
        key = {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}
        return {"Accept": "application/json, text/event-stream", "Accept-Encoding": "identity", **key} | dict(
            request.headers
        )


def resolve_address(base_url: str | None, api_key: str | None) -> Address:
    """The server that is meant: arguments, then ``CHIDORI_URL`` and ``CHIDORI_API_KEY``, then this machine.

    Only these two variables are read: a client must not fail over settings that are the server's.

    Raises:
        Invalid: the URL is not one of HTTP, or the key cannot be sent.
    """
    url = (base_url or os.environ.get("CHIDORI_URL") or _DEFAULT_URL).strip()
    key = api_key or os.environ.get("CHIDORI_API_KEY") or None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"{url!r} is not a URL: {error}", hint=_HINT) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url!r} is not the URL of a server", hint=_HINT)
    if parts.username is not None or parts.query or parts.fragment:
        raise Invalid("the server's URL has a user, a query or a fragment", hint="give the key as api_key; " + _HINT)
    return Address(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        prefix=quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"),
        api_key=None if key is None else header_value("the API key", key),
    )


def keep_alive(connection: socket.socket) -> None:
    """Let the kernel notice a server that is gone while a request waits for hours."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        # Which of them exist depends on the system.
        if option := getattr(socket, name, None):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
