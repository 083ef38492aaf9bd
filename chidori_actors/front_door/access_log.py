"""The access log: a line for each request, once it is answered."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from .log_lines import LogFormat, LogLines
from .refusals import FAULT

__all__ = ["LogFormat", "access_log"]


def access_log(log_format: LogFormat) -> Middleware:
    """A middleware that writes a line for each request: never its query, headers or body, which may hold secrets.

    A client that went away first has status 499; a request that the server's end cut off has none.
    """
    lines = LogLines(log_format)

    @web.middleware
    async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        status: int | None = None
        size: int | None = None
        try:
            response = await handler(request)
            status, size = response.status, response.body_length if response.prepared else response.content_length
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            lines.write(
                "request",
                request.get(FAULT),
                method=request.method,
                path=request.rel_url.raw_path,
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 1),
                bytes=size,
                client=request.remote,
            )

    return log
