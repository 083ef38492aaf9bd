"""Whatever goes wrong in a handler, answered as JSON: ``{"error": …}`` with the status that fits it."""

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import (
    ChidoriError,
    ManifestMismatch,
    NotResumable,
    ReplayDivergence,
    RunExists,
    RunNotFound,
    RunOwned,
    SourceError,
    SourceMismatch,
    UsageError,
)
from .refusal import Refused

FAULT: web.RequestKey[BaseException] = web.RequestKey("fault", BaseException)
"""What the server did wrong itself, for the log: clients are not told."""

CLIENT_GONE = 499
"""Only ever in the log: there is nobody to be answered. An exception instead would be logged as the server's fault."""

INTERNAL = "internal server error; the server's log has more"
_STATUS: tuple[tuple[type[ChidoriError], int], ...] = (
    (RunExists, 409),
    (UsageError, 422),
    (RunNotFound, 404),
    (RunOwned, 409),
    (NotResumable, 409),
    (ManifestMismatch, 409),
    (ReplayDivergence, 409),
)
_CHANGED = "send `allow_source_change`: true to go on with the source as it is now"
_OF_THE_BODY = ("Content-Type", "Content-Length", "Content-Encoding")


def refused(error: ChidoriError, status: int | None = None) -> Refused:
    """How a client is told of that error: 500 unless it is one that the request brought about, or ``status``.

    Hints speak of the command line, which a client does not have, save those that say how to mend a source.
    """
    if status is None:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    hint = _CHANGED if isinstance(error, SourceMismatch) else error.hint if isinstance(error, SourceError) else None
    return Refused(status, str(error)) if hint is None else Refused(status, str(error), hint=hint)


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
        refusal = Refused(500, INTERNAL)
    if request.writer.output_size and request.transport is not None:
        request.transport.abort()
    return as_answer(refusal)


def as_answer(refusal: Refused) -> web.Response:
    """The answer that tells a client of the refusal."""
    return web.Response(
        status=refusal.status,
        body=orjson.dumps({"error": str(refusal), **refusal.fields}),
        headers=refusal.headers,
        content_type="application/json",
    )
