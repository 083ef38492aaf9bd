"""The server: the application's parts put together, and its life from the first request to the last."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ..assembly import mcp_config
from ..errors import UsageError
from ..inspection.pictures import Pictures
from ..journal.store import Store
from ..policy import Policy
from ..runtime import Runtime, open_runtime
from ..settings import Settings
from .access import access_control
from .access_log import LogFormat, access_log
from .agents import Agents
from .console_pages import add_console
from .cors import allow_origins
from .creating import NewSessions
from .events_from_outside import EventsFromOutside
from .history_routes import HistoryRoutes
from .inspection_routes import InspectionRoutes
from .listener import listening
from .live_runs import LiveRuns
from .metrics import Metrics, MetricsPage
from .refusals import answer_refusals
from .routes import add_routes
from .run_log import RunLog
from .session_routes import SessionRoutes
from .sessions import Sessions
from .slots import Slots
from .webhook_config import Webhooks, load_webhooks

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Serving:
    """How a server is to be run. ``grace_seconds`` is what calls have to settle when it is stopped.

    Without an ``agent`` it is there for the sessions that are in the store, and takes none of them up by itself."""

    agent: Path | None
    host: str = "127.0.0.1"
    port: int = 8080
    grace_seconds: float = 10.0
    log_format: LogFormat = "text"
    tool_folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What the files say that a server is started with."""

    agents: Agents
    webhooks: Webhooks


def read_files(settings: Settings, serving: Serving) -> Served:
    """Read the agent's source if there is one, and the configuration of webhooks and MCP servers.

    Raises:
        ChidoriError: one of them has a fault, which would otherwise fail sessions one by one.
    """
    agents = Agents(serving.agent, settings.runtime_policy, serving.tool_folders)
    agents.check()
    mcp_config(settings)
    return Served(agents, load_webhooks(settings))


async def _nothing(store: Store) -> None: ...


async def serve(
    settings: Settings,
    policy: Policy,
    serving: Serving,
    ready: Callable[[str], None],
    *,
    prepare: Callable[[Store], Awaitable[None]] = _nothing,
    create: bool = True,
) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the URL once connections are accepted. A second one of these
    ends the grace.

    ``prepare`` is done before that, as soon as the store is ours; with ``create`` it is made when there is none.

    Raises:
        UsageError: an address other than loopback without an API key, or one that cannot be had.
        ChidoriError: a fault in the agent's source or in a file of configuration, or another server has the store.
    """
    if serving.host not in _LOOPBACK and settings.api_key is None:
        raise UsageError(
            f"--host {serving.host} lets others reach the server, and no API key is set",
            hint="set CHIDORI_API_KEY, or leave --host out to listen on 127.0.0.1 alone",
        )
    served = read_files(settings, serving)
    _allow_many_connections()
    stopping, hurry = asyncio.Event(), asyncio.Event()

    def signalled() -> None:
        (hurry if stopping.is_set() else stopping).set()

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, signalled)
    try:
        async with (
            open_runtime(settings, policy=policy, create=create) as runtime,
            runtime.store.serving() as announce,
        ):
            await prepare(runtime.store)
            async with running(runtime, serving, served, hurry) as url:
                announce(url)
                ready(url)
                await stopping.wait()
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)


@asynccontextmanager
async def running(
    runtime: Runtime, serving: Serving, served: Served, hurry: asyncio.Event | None = None
) -> AsyncIterator[str]:
    """A server that accepts connections, and its URL. Leaving stops it: no new work, then the grace, which ``hurry``
    ends, then the rest.

    Raises:
        UsageError: its address cannot be had.
    """
    settings, agents, webhooks = runtime.settings, served.agents, served.webhooks
    metrics = Metrics()
    slots = Slots(settings.max_concurrent_sessions, settings.acquire_timeout_ms)
    runs = LiveRuns(slots, metrics, RunLog(serving.log_format))
    sessions = Sessions(runtime, runs)
    new = NewSessions(runtime, agents, sessions)
    outside = EventsFromOutside(sessions, new, webhooks, settings)
    app = web.Application(
        client_max_size=settings.max_body_bytes,
        middlewares=[access_log(serving.log_format), answer_refusals, access_control(settings, webhooks)],
    )
    allow_origins(app, settings.cors_origins)
    runtime.store.watch_commits(metrics.commit_seconds)
    page = MetricsPage(metrics, runtime.store, lambda: runs.count, lambda: runtime.live_vms)
    add_console(app)
    pictures = Pictures(runtime.store)
    handlers = (
        SessionRoutes(runtime, sessions, new, agents),
        InspectionRoutes(runtime.store, sessions, pictures),
        HistoryRoutes(runtime, sessions, agents, pictures, slots),
    )
    add_routes(app, handlers, page, outside)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        async with listening(runner, serving.host, serving.port, serving.log_format) as url:
            take_up = None if agents.default is None else asyncio.create_task(sessions.take_up())
            yield url
            if take_up is not None:
                take_up.cancel()
        await runs.close(serving.grace_seconds, hurry or asyncio.Event())
    finally:
        pictures.close()
        await runner.cleanup()


def _allow_many_connections() -> None:
    """Every open stream is an open file: the usual limit of 1,024 is one that a process may raise by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
