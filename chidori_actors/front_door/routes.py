"""The routes of the server, registered from the one table."""

from typing import Protocol

from aiohttp import web


class Outside(Protocol):
    async def handle(self, request: web.Request) -> web.StreamResponse: ...


def add_routes(app: web.Application, session_routes: object, metrics: object, outside: Outside) -> None:
    """Register everything."""
