"""The routes of the table registered with their handlers, and what every other path comes to."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from .access import OUTSIDE
from .openapi import openapi
from .refusal import Refused
from .route_table import EVENTS, ROUTES, Route


class Page(Protocol):
    """Something that answers requests."""

    async def handle(self, request: web.Request) -> web.StreamResponse: ...


def add_routes(app: web.Application, handlers: Sequence[object], metrics: Page, outside: Page) -> None:
    """Register every route of the table: the methods of ``handlers`` by their names, ``metrics``, ``openapi``.

    A wrong method on one of their paths is 405, an unknown path below ``/sessions`` is 404: neither reaches
    ``outside``, which has every other path.
    """
    pages: dict[str, Handler] = {"metrics": metrics.handle, "openapi": openapi}
    by_path: defaultdict[str, list[Route]] = defaultdict(list)
    for route in ROUTES:
        by_path[route.path].append(route)
    for path, routes in by_path.items():
        resource = app.router.add_resource(path)
        for route in routes:
            handler: Handler = pages.get(route.handler) or _handler(handlers, route.handler)
            for method in _methods(route):
                resource.add_route(method, handler, expect_handler=_later)
        allowed = ", ".join(sorted({method for route in routes for method in _methods(route)}))
        resource.add_route(hdrs.METH_ANY, _wrong_method(allowed), expect_handler=_later)
    app.router.add_route(hdrs.METH_ANY, "/sessions/{rest:.*}", _unknown, expect_handler=_later)
    app.router.add_route(hdrs.METH_ANY, "/{rest:.*}", outside.handle, name=OUTSIDE, expect_handler=_later)


def _handler(handlers: Sequence[object], name: str) -> Handler:
    found: Handler = next(getattr(each, name) for each in handlers if hasattr(each, name))
    return found


def _methods(route: Route) -> tuple[str, ...]:
    """HEAD goes with GET, except where the answer lasts as long as the session."""
    streams = any(answer.media == EVENTS for answer in route.answers)
    return (hdrs.METH_GET, hdrs.METH_HEAD) if route.method == hdrs.METH_GET and not streams else (route.method,)


def _wrong_method(allowed: str) -> Handler:
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise Refused(405, f"{request.path} takes {allowed}", headers={hdrs.ALLOW: allowed})

    return refuse


async def _unknown(request: web.Request) -> web.StreamResponse:
    raise Refused(404, f"there is nothing at {request.path}")


async def _later(request: web.Request) -> None:
    """``Expect`` is looked at when the body is read: before that nobody knows whether it is wanted."""
