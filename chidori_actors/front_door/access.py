"""Who may use the server: the API key, and pages of other origins in a browser (wire contract, section 1)."""

import hmac
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..settings import Settings
from .refusal import Refused

OPEN_PATHS = frozenset({"/health"})
OUTSIDE: str = "outside"
"""Name of the route of events from outside."""

_SCHEME = b"bearer "


class EventPaths(Protocol):
    """The event paths that say for themselves how they authenticate."""

    def find(self, path: str) -> object | None:
        """The entry of that path, None when it has none."""
        ...


def require_key(request: web.Request, key: str | None) -> None:
    """Compare the request's bearer token with ``key`` in constant time; without a key everybody may come in.

    Raises:
        Refused: 401, the token is missing or wrong.
    """
    if key is None:
        return
    given = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="surrogateescape")
    scheme, token = given[: len(_SCHEME)], given[len(_SCHEME) :].strip()
    if scheme.lower() != _SCHEME or not hmac.compare_digest(token, key.encode()):
        raise Refused(401, "missing or invalid bearer token", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


def access_control(settings: Settings, webhooks: EventPaths) -> Middleware:
    """A middleware that answers preflights, and asks for the key unless the path is ``/health`` or an event path with
    an entry of its own."""

    @web.middleware
    async def control(request: web.Request, handler: Handler) -> web.StreamResponse:
        if settings.cors_origins and _is_preflight(request):
            return web.Response(status=204, headers=_preflight_headers(request, settings.cors_origins))
        if not _is_open(request, webhooks):
            require_key(request, settings.api_key)
        return await handler(request)

    return control


def _is_open(request: web.Request, webhooks: EventPaths) -> bool:
    if request.path in OPEN_PATHS:
        return True
    return request.match_info.route.name == OUTSIDE and webhooks.find(request.path) is not None


def allow_origins(app: web.Application, origins: tuple[str, ...]) -> None:
    """Let pages of these origins (``*``: of all) read every answer of the application, streams and errors included."""
    if not origins:
        return

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_origin_headers(request, origins))
        if "*" not in origins:
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    app.on_response_prepare.append(prepare)


def _origin_headers(request: web.Request, origins: tuple[str, ...]) -> dict[str, str]:
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or not ("*" in origins or origin in origins):
        return {}
    return {
        hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*" if "*" in origins else origin,
        hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED,
    }


_EXPOSED = "Last-Event-ID, Retry-After, Preference-Applied, WWW-Authenticate, Allow"
_METHODS = "GET, HEAD, POST, OPTIONS"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer"
_PREFLIGHT_SECONDS = "600"


def _is_preflight(request: web.Request) -> bool:
    return request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers


def _preflight_headers(request: web.Request, origins: tuple[str, ...]) -> dict[str, str]:
    if not _origin_headers(request, origins):
        return {}
    return {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _HEADERS,
        hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_SECONDS,
    }
