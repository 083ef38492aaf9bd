"""Listening for connections; what cannot be read as HTTP is answered in JSON like every other refusal."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from ..errors import UsageError
from .library_log import library_log
from .log_lines import LogFormat
from .refusal import Refused
from .refusals import INTERNAL, as_answer

_LONGEST_TARGET = 16_384
_LONGEST_HEADER = 32_768
"""Another limit than the target's: by it one tells which of them was too long."""
_TOO_MANY = "Too many headers"
_LONGEST_REASON = 200
_WAITING_CONNECTIONS = 128


@asynccontextmanager
async def listening(runner: web.AppRunner, host: str, port: int, log_format: LogFormat) -> AsyncIterator[str]:
    """Accept connections for an application that is set up; the URL. Those that are open at the end stay open.

    Bodies are left as they were sent (``request_body.unpacked``).

    Raises:
        UsageError: the address cannot be had.
    """
    manager, loop = runner.server, asyncio.get_running_loop()
    assert manager is not None
    logger = library_log(log_format)

    def connection() -> web.RequestHandler:
        return _Connection(
            manager,
            loop=loop,
            logger=logger,
            access_log=logger,  # which is silent below warnings: the access log is a middleware
            max_line_size=_LONGEST_TARGET,
            max_field_size=_LONGEST_HEADER,
            auto_decompress=False,
        )

    try:
        listener = await loop.create_server(connection, host, port, backlog=_WAITING_CONNECTIONS)
    except socket.gaierror as error:
        raise _no_such_host(host, error.strerror or str(error)) from None
    except OSError as error:
        # asyncio's own text repeats the address.
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            raise _no_such_host(host, reason) from None
        raise UsageError(f"{host}:{port}: {reason}", hint="name another --port") from None
    bound_host, bound_port = listener.sockets[0].getsockname()[:2]
    try:
        yield f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}"
    finally:
        listener.close()


def _no_such_host(host: str, reason: str) -> UsageError:
    hint = "name an address of this machine, or leave --host out to listen on 127.0.0.1 alone"
    return UsageError(f"--host {host}: {reason}", hint=hint)


class _Connection(web.RequestHandler):
    """aiohttp answers in plain text what never becomes a request, and repeats in it what was sent."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        refusal = _refusal(exc) if isinstance(exc, HttpProcessingError) else Refused(status, INTERNAL)
        if isinstance(exc, HttpProcessingError):
            exc.code = refusal.status  # which the log tells
        super().handle_error(request, status, exc, message)
        response = as_answer(refusal)
        response.force_close()
        return response


def _refusal(error: HttpProcessingError) -> Refused:
    if isinstance(error, LineTooLong) and error.args[1] == _LONGEST_TARGET:
        return Refused(414, f"the request's target is longer than {_LONGEST_TARGET} bytes")
    if isinstance(error, LineTooLong):
        return Refused(431, f"a header of the request is longer than {_LONGEST_HEADER} bytes")
    if error.message.startswith(_TOO_MANY):
        return Refused(431, "the request has too many headers")
    reason = error.message.partition("\n")[0].rstrip(" :.")
    return Refused(400, f"the request is not HTTP: {reason[:_LONGEST_REASON]}")
