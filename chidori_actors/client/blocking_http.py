"""The blocking driver: standard library only, no event loop, no threads."""

import http.client
import ssl
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from .address import Address, Timeouts, keep_alive
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

T = TypeVar("T")

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class BlockingDriver:
    """Runs flows in the calling thread. Each request has a connection of its own, so threads may share it."""

    address: Address
    timeouts: Timeouts

    def call(self, flow: Flow[T]) -> T:
        """Run ``flow`` and return its result."""
        (item,) = self.iterate(result(flow))
        return item

    def iterate(self, items: Items[T]) -> Generator[T, None, None]:
        """Run ``items`` and yield what it emits."""
        with closing(_Connection(self.address, self.timeouts)) as connection:
            answer: Answer = None
            while (step := advance(items, answer)) is not None:
                if isinstance(step, Emit):
                    answer = None
                    yield step.item
                else:
                    answer = connection.perform(step)


class _Connection:
    """At most one connection, with the response that is open on it."""

    def __init__(self, address: Address, timeouts: Timeouts) -> None:
        self._address = address
        self._timeouts = timeouts
        self._connection: http.client.HTTPConnection | None = None
        self._open: http.client.HTTPResponse | None = None

    def perform(self, step: Step) -> Answer:
        try:
            match step:
                case Send(request):
                    return self._send(request, may_stream=False)
                case Open(request):
                    return self._send(request, may_stream=True)
                case Read():
                    return self._read()
                case Pause(seconds):
                    time.sleep(seconds)
                    return None
        except TransportFailure as failure:
            self.close()
            return failure
        except (OSError, ValueError, http.client.HTTPException) as error:
            # http.client reports a length of a chunk that was cut off as a ValueError.
            self.close()
            return TransportFailure(_lost(error), sent=True)

    def close(self) -> None:
        for resource in (self._open, self._connection):
            if resource is not None:
                resource.close()
        self._open = self._connection = None

    def _send(self, request: Request, *, may_stream: bool) -> Response:
        self.close()
        self._connection = connection = self._connect(self._timeouts.silence(request))
        headers = self._address.headers(request) | {"Connection": "close"}
        connection.request(request.method, self._address.prefix + request.path, request.body, headers)
        self._open = response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        if may_stream and streams(response.status, named.get("content-type")):
            return Response(response.status, named)
        answer = Response(response.status, named, response.read())
        self.close()
        return answer

    def _connect(self, silence: float | None) -> http.client.HTTPConnection:
        host, port, timeout = self._address.host, self._address.port, self._timeouts.connect
        if self._address.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.connect()
        except (OSError, ValueError) as error:
            # A name that no resolver takes is a ValueError.
            connection.close()
            raise TransportFailure(f"{self._address.base} cannot be reached: {error}", sent=False) from error
        keep_alive(connection.sock)
        connection.sock.settimeout(silence)
        return connection

    def _read(self) -> bytes:
        return b"" if self._open is None else self._open.read1(_CHUNK)


def _lost(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "the server was silent for too long"
    return f"the connection was lost: {str(error) or type(error).__name__}"
