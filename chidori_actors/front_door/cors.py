"""What pages of other origins may do in a browser (wire contract, section 1)."""

from urllib.parse import urlsplit

from aiohttp import hdrs, web

from .refusal import Refused

ALL = "*"
_EXPOSED = "Last-Event-ID, Retry-After, Preference-Applied, WWW-Authenticate, Allow"
_PREFLIGHT_SECONDS = "600"
_READING = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


def allow_origins(app: web.Application, origins: tuple[str, ...]) -> None:
    """Let pages of these origins (``*``: of all) read every answer of the application, streams and errors included."""
    if not origins:
        return

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        if ALL not in origins:
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if _is_allowed(request, origins):
            allowed = ALL if ALL in origins else request.headers[hdrs.ORIGIN]
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = allowed
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    app.on_response_prepare.append(prepare)


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks what a page may do; it never sends a key with that."""
    asks = (hdrs.ORIGIN, hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    return request.method == hdrs.METH_OPTIONS and all(name in request.headers for name in asks)


def answer_preflight(request: web.Request, origins: tuple[str, ...]) -> web.Response:
    """Grants an allowed origin what is asked for, since the key and not the browser decides; others nothing."""
    response = web.Response(status=204)
    if _is_allowed(request, origins):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = request.headers[hdrs.ACCESS_CONTROL_REQUEST_METHOD]
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _PREFLIGHT_SECONDS
        if hdrs.ACCESS_CONTROL_REQUEST_HEADERS in request.headers:
            asked = request.headers[hdrs.ACCESS_CONTROL_REQUEST_HEADERS]
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
    return response


def refuse_other_origins(request: web.Request, origins: tuple[str, ...]) -> None:
    """Keep pages that happen to be open in a browser from starting work here: such a request needs no preflight.

    Raises:
        Refused: 403, the request changes something and comes from a page of an origin that is not allowed.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or request.method in _READING or _is_allowed(request, origins):
        return
    if urlsplit(origin).netloc != request.host:
        raise Refused(403, f"pages of {origin} may not use this server (CHIDORI_CORS_ORIGINS)")


def _is_allowed(request: web.Request, origins: tuple[str, ...]) -> bool:
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and (ALL in origins or origin in origins)
