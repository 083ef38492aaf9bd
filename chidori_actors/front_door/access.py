"""Who may use the server: the API key, and which paths need it (wire contract, section 1)."""

import hmac
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..settings import Settings
from .cors import answer_preflight, is_preflight, refuse_other_origins
from .refusal import Refused
from .route_table import ROUTES

OUTSIDE = "outside"
"""Name of the route that takes events from outside."""

_OPEN_PATHS = frozenset(route.path for route in ROUTES if not route.needs_key)
_SCHEME = b"bearer "


class EventPaths(Protocol):
    """The event paths that say for themselves how they authenticate."""

    def find(self, path: str) -> object | None:
        """The entry of that path, None when it has none."""
        ...


def access_control(settings: Settings, webhooks: EventPaths) -> Middleware:
    """A middleware that answers preflights, and asks for the key and an origin that is allowed unless the path is
    ``/health`` or an event path with an entry of its own."""

    @web.middleware
    async def control(request: web.Request, handler: Handler) -> web.StreamResponse:
        if settings.cors_origins and is_preflight(request):
            return answer_preflight(request, settings.cors_origins)
        if not _is_open(request, webhooks):
            require_key(request, settings.api_key)
            refuse_other_origins(request, settings.cors_origins)
        return await handler(request)

    return control


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


def _is_open(request: web.Request, webhooks: EventPaths) -> bool:
    if request.path in _OPEN_PATHS:
        return True
    return request.match_info.route.name == OUTSIDE and webhooks.find(request.path) is not None
