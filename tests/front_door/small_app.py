"""Applications on a real socket for one test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientSession, web

from chidori_actors.front_door.access import access_control
from chidori_actors.front_door.access_log import LogFormat, access_log
from chidori_actors.front_door.console_pages import add_console
from chidori_actors.front_door.cors import allow_origins
from chidori_actors.front_door.listener import listening
from chidori_actors.front_door.refusals import answer_refusals
from chidori_actors.front_door.routes import add_routes
from chidori_actors.settings import Settings


@dataclass(frozen=True)
class Told:
    """An answer, its body read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Sends requests to one server."""

    url: str
    session: ClientSession

    async def __call__(self, method: str, path: str, **options: Any) -> Told:
        async with self.session.request(method, self.url + path, allow_redirects=False, **options) as response:
            return Told(response.status, dict(response.headers), await response.read())


@dataclass(frozen=True)
class Entries:
    """Event paths that have an entry of their own."""

    paths: tuple[str, ...] = ()

    def find(self, path: str) -> object | None:
        return path if path in self.paths else None


class Echo:
    """Stands for every handler: says which one was reached."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return Echo(name).handle

    async def handle(self, request: web.Request) -> web.Response:
        return web.json_response({"reached": self._name, **request.match_info})


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[Client]:
    """The application on a free port of 127.0.0.1, for the length of the ``async with`` block."""
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        async with listening(runner, "127.0.0.1", 0, "json") as url, ClientSession() as session:
            yield Client(url, session)
    finally:
        await runner.cleanup()


def routed(settings: Settings, entries: Entries = Entries(), log_format: LogFormat = "text") -> web.Application:
    """Every route of the server, its handlers replaced by ``Echo``."""
    app = bare(settings, entries, log_format)
    add_console(app)
    add_routes(app, (Echo(),), Echo("metrics"), Echo("outside"))
    return app


def bare(settings: Settings, entries: Entries = Entries(), log_format: LogFormat = "text") -> web.Application:
    """The server's middlewares, and no routes yet."""
    middlewares = [access_log(log_format), answer_refusals, access_control(settings, entries)]
    app = web.Application(client_max_size=settings.max_body_bytes, middlewares=middlewares)
    allow_origins(app, settings.cors_origins)
    return app
