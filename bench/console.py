"""The console's timeline: a run of 10,000 calls and 500 branches read, windows of it, and how soon a change shows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession

from chidori_actors import exact_json
from chidori_actors.inspection.call_list import CallFilter, list_calls
from chidori_actors.inspection.picture import RunPicture
from chidori_actors.inspection.pictures import Pictures
from chidori_actors.inspection.window import Window, timeline
from chidori_actors.journal.store import Store
from chidori_actors.runtime import open_runtime

from .measure import Figure, Rows
from .recorded_run import store_run
from .scenery import own_store
from .served import chidori

_ROUNDS = 5
_WINDOWS = {
    "60 of the branches": Window(first=100, count=60),
    "200 of the branches": Window(first=100, count=200),
    "a hundredth of the time": Window(count=200, from_ms=1_760_000_000_100, to_ms=1_760_000_000_300),
}


def measure() -> list[Figure]:
    """Every figure of this suite; takes half a minute."""
    rows = Rows()
    with own_store() as settings:

        async def stored() -> None:
            async with open_runtime(settings) as runtime:
                await store_run(runtime.store, "branching", calls=10_000, branches=500, fails_every=100)
                await store_run(runtime.store, "flat", calls=10_000, branches=0, fails_every=100)
                for _ in range(_ROUNDS):
                    await _read(rows, runtime.store)

        asyncio.run(stored())
    with own_store() as settings, chidori(settings, "asking") as served:
        for _ in range(_ROUNDS):
            asyncio.run(_poll(rows, served.url))
    return rows.figures()


async def _read(rows: Rows, store: Store) -> None:
    for run_id, name in (("branching", "10,000 calls, 500 branches"), ("flat", "10,000 calls of one actor")):
        pictures = Pictures(store)
        began, turns = time.perf_counter(), [0.0]
        beside = asyncio.create_task(_take_turns(turns))
        picture = await pictures.read(run_id, None)
        rows.add(f"{name}: first reading", "ms", (time.perf_counter() - began) * 1e3)
        beside.cancel()
        rows.add(f"  {name}: others wait for at most", "ms", max(turns) * 1e3)
        for what, window in _WINDOWS.items():

            async def shown(window: Window = window, run: str = run_id, pictures: Pictures = pictures) -> None:
                exact_json.dumps(timeline(store, await pictures.read(run, None), window))

            rows.add(f"  {name}: {what}", "ms", await _milliseconds(shown))

        async def searched(picture: RunPicture = picture) -> None:
            await list_calls(store, picture, CallFilter(search="part 77"))

        rows.add(f"  {name}: search", "ms", await _milliseconds(searched))
        pictures.close()


async def _take_turns(turns: list[float]) -> None:
    """Note how long the event loop takes to come back, again and again."""
    while True:
        since = time.perf_counter()
        await asyncio.sleep(0)
        turns.append(time.perf_counter() - since)


async def _milliseconds(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1e3


async def _poll(rows: Rows, url: str) -> None:
    """How soon somebody who waits is told that a question was answered."""
    async with ClientSession() as client:

        async def ask(path: str) -> Any:
            async with client.get(url + path) as response:
                return await response.json()

        async with client.post(f"{url}/sessions", json={"input": {}}) as response:
            session = f"/sessions/{(await response.json())['id']}"
        version = (await ask(f"{session}/timeline"))["version"]
        waiting = asyncio.create_task(ask(f"{session}/timeline?after={version}&wait=20"))
        await asyncio.sleep(0.2)  # so that it waits
        began = time.perf_counter()
        async with client.post(f"{url}{session}/resume", json={"response": "yes"}) as response:
            response.raise_for_status()
        await waiting
        rows.add("a long poll: from an answer to its showing", "ms", (time.perf_counter() - began) * 1e3)
