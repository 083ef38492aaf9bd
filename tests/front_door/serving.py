"""The real server on a free port of 127.0.0.1, in this process, with a store of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession

from chidori_actors.front_door.server import Serving, read_files, running
from chidori_actors.policy import Policy
from tests.front_door.small_app import Client
from tests.support.agents import make_settings
from tests.support.systems import open_runtime


@asynccontextmanager
async def serving(agent: Path, folder: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    """Serve the agent; the store is ``folder/store``, and ``environ`` takes the place of the one of agents in tests."""
    settings, served = make_settings(folder / "store", environ), Serving(agent, port=0, grace_seconds=0)
    async with (
        open_runtime(settings, policy=Policy.load(settings)) as runtime,
        running(runtime, served, read_files(settings, served)) as url,
        ClientSession() as session,
    ):
        yield Client(url, session)
