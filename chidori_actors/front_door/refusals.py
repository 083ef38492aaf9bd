"""Whatever goes wrong in a handler, answered as JSON: ``{"error": …}`` with the status that fits it."""

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import ChidoriError, ManifestMismatch, NotResumable, ReplayDivergence, RunNotFound, RunOwned, UsageError
from .refusal import Refused

FAULT: web.RequestKey[BaseException] = web.RequestKey("fault", BaseException)
"""What the server did wrong itself, for the log: clients are not told."""

CLIENT_GONE = 499
"""Only ever in the log: there is nobody to be answered. An exception instead would be logged as the server's fault."""

_INTERNAL = "internal server error; the server's log has more"
_STATUS: tuple[tuple[type[ChidoriError], int], ...] = (
    (UsageError, 422),
    (RunNotFound, 404),
    (RunOwned, 409),
    (NotResumable, 409),
    (ManifestMismatch, 409),
    (ReplayDivergence, 409),
)
_OF_THE_BODY = ("Content-Type", "Content-Length", "Content-Encoding")


def refused(error: ChidoriError) -> Refused:
    """How a client is told of that error: 500 unless it is one that the request brought about."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return Refused(status, str(error), hint=error.hint)


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as JSON; one that nobody foresaw is 500, and ``request[FAULT]`` for the log.

    An answer that has begun cannot be replaced: its connection is cut, so that nobody takes it for whole.
    """
    try:
        return await handler(request)
    except Refused as error:
        refusal = error
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {name: value for name, value in error.headers.items() if name not in _OF_THE_BODY}
        refusal = Refused(error.status, error.reason.lower(), headers=headers)
    except ChidoriError as error:
        refusal = refused(error)
        if refusal.status >= 500:
            request[FAULT] = error
    except Exception as error:
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            return web.Response(status=CLIENT_GONE)
        request[FAULT] = error
        refusal = Refused(500, _INTERNAL)
    if request.writer.output_size and request.transport is not None:
        request.transport.abort()
    return _answer(refusal)


def _answer(refusal: Refused) -> web.Response:
    return web.Response(
        status=refusal.status,
        body=orjson.dumps({"error": str(refusal), **refusal.fields}),
        headers=refusal.headers,
        content_type="application/json",
    )
