"""Who may use the server: the API key, and which paths need it (wire contract, section 1); without a key, under which
names it can be reached."""

import hmac
import re
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from ..settings import Settings
from .console_pages import CONSOLE
from .cors import answer_preflight, is_preflight, refuse_other_origins
from .refusal import Refused
from .route_table import ROUTES

OUTSIDE = "outside"
"""Name of the route that takes events from outside."""

_OPEN_PATHS = frozenset(route.path for route in ROUTES if not route.needs_key)
_SCHEME = b"bearer "
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?", re.ASCII)
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class EventPaths(Protocol):
    """The event paths that say for themselves how they authenticate."""

    def find(self, path: str) -> object | None:
        """The entry of that path, None when it has none."""
        ...


def access_control(settings: Settings, webhooks: EventPaths) -> Middleware:
    """A middleware that answers preflights, and asks for the key and an origin that is allowed unless the path is
    ``/health``, one of the console's pages or an event path with an entry of its own.

    Without a key the server's own paths are there under this machine's names alone."""

    @web.middleware
    async def control(request: web.Request, handler: Handler) -> web.StreamResponse:
        if settings.cors_origins and is_preflight(request):
            return answer_preflight(request, settings.cors_origins)
        if settings.api_key is None and request.match_info.route.name != OUTSIDE and request.path not in _OPEN_PATHS:
            _refuse_other_names(request)
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


def _refuse_other_names(request: web.Request) -> None:
    """A page may have its own name resolve to this machine ("DNS rebinding"): then its requests come from the very
    origin that they go to, and only the name tells them from those of our own pages.

    Raises:
        Refused: 403, the request is for a name that is not this machine's own. No browser leaves the name out.
    """
    host = request.headers.get(hdrs.HOST)
    found = None if host is None else _HOST.fullmatch(host)
    if host is None or (found is not None and found[1].lower() in _LOCAL_NAMES):
        return
    hint = "set CHIDORI_API_KEY to serve it under other names, or use http://localhost and the port"
    raise Refused(403, "without an API key this server answers for localhost, 127.0.0.1 and [::1] only", hint=hint)


def _is_open(request: web.Request, webhooks: EventPaths) -> bool:
    if request.path in _OPEN_PATHS or request.match_info.route.name in CONSOLE:
        return True
    return request.match_info.route.name == OUTSIDE and webhooks.find(request.path) is not None
