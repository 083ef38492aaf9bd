"""Front doors as processes of their own, one of which is killed while the sessions go on."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from tests.front_door.small_app import Client
from tests.support.agents import LOCAL
from tests.support.server import ServerProcess

from .faults import until
from .stage import LIMIT_S, Stage

_ENVIRON = {**LOCAL, "RAY_AUTH_MODE": "disabled"}


async def kill_front_door(stage: Stage) -> dict[str, Any]:
    """The front door at which all sessions were begun is killed and started again; another answers for all of them."""
    assert stage.nodes is not None
    options = ("--address", stage.nodes.address)
    one, two = (ServerProcess(stage.sessions.write(), _ENVIRON, *options) for _ in range(2))
    async with asyncio.timeout(LIMIT_S), ClientSession() as session:
        try:
            await asyncio.gather(one.start(), two.start())
            here, there = Client(one.url, session), Client(two.url, session)
            stage.ledger.holds = lambda path: path.endswith("/0.0")
            await asyncio.gather(*(_begin(stage, here, name) for name in stage.sessions.names))
            # Every session is in its first branch's first call, and others.
            await stage.sessions.begun()
            await stage.settle()
            stage.clock.strike()
            await one.kill()
            views = await asyncio.gather(*(_view(there, name) for name in stage.sessions.names))
            assert {view["status"] for view in views} == {"running"}
            stage.ledger.release()
            await one.start()
            await asyncio.gather(*(_completed(stage, there, name) for name in stage.sessions.names))
            again = await asyncio.gather(*(_view(here, name) for name in stage.sessions.names))
            assert [view["output"] for view in again] == [stage.sessions.results[name] for name in stage.sessions.names]
        finally:
            await asyncio.gather(one.close(), two.close())
    figures = await stage.checked()
    stage.sessions.check_never_repeated()
    return figures


async def _begin(stage: Stage, client: Client, name: str) -> None:
    body = {"input": stage.sessions.input_of(name), "session_id": name}
    told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.body


async def _view(client: Client, name: str) -> Any:
    told = await client("GET", f"/sessions/{name}")
    assert told.status == 200, told.body
    return told.json


async def _completed(stage: Stage, client: Client, name: str) -> None:
    async def has_ended() -> bool:
        return bool((await _view(client, name))["status"] != "running")

    await until(has_ended)
    view = await _view(client, name)
    assert view["status"] == "completed", view
    stage.sessions.results[name] = view["output"]
