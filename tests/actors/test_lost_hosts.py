"""Random trees over three hosts of which some die: they come to what one process comes to, and ask nothing in vain."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chidori_actors.journal.store import Store
from chidori_actors.policy import Policy
from chidori_actors.runtime import Runtime, open_runtime
from chidori_actors.vm.machine import Bounds
from tests.support.agents import LOCAL, make_settings, output_of, records_of, start, within, write_agent
from tests.support.http_server import serve
from tests.support.killing import comparable
from tests.support.steady_trees import steady_trees
from tests.support.three_hosts import Troubles, open_three_hosts

HANGS_AFTER_S = 20
MOST_DEATHS = 3
ENVIRON = {**LOCAL, "CHIDORI_DURABILITY": "relaxed"}


@dataclass
class World:
    """A server whose answers depend on the path alone, and come after 0 to 3 ms. ``again`` are the paths of
    requests whose calls had settled before."""

    chance: random.Random
    store: Store | None = None
    requests: Counter[str] = field(default_factory=Counter)
    keys: dict[str, set[str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        self.requests[path] += 1
        if request.method == "POST":
            self.keys.setdefault(path, set()).add(request.headers["Idempotency-Key"])
        if self.requests[path] > 1 and path in self._settled():
            self.again.append(path)
        await asyncio.sleep(self.chance.randrange(4) / 1000)
        return web.json_response({"answer": f"{path} {sum(path.encode())}"})

    def _settled(self) -> set[str]:
        assert self.store is not None
        urls = (record["args"]["url"] for record in records_of(self.store) if record["function"] == "http")
        return {"/" + url.split("/", 3)[3] for url in urls}


@dataclass(frozen=True, slots=True)
class Execution:
    output: Any
    records: list[tuple[Any, ...]]
    requests: Counter[str]


async def execute(runtime: Runtime, agent: Path, chance: random.Random) -> Execution:
    """Run and replay."""
    world = World(chance, runtime.store)
    async with serve(world.handle) as server:
        output = output_of(await within(HANGS_AFTER_S, start(runtime, agent, {"url": server.url, "name": "root"})))
        assert not world.again, "settled calls were made again"
        assert all(len(keys) == 1 for keys in world.keys.values()), "a repeated POST has its first key"
        asked = world.requests.copy()
        assert output_of(await within(HANGS_AFTER_S, runtime.replay("test-run"))) == output
        assert world.requests == asked, "a replay asks nothing"
        # The paths of calls that several flows of an actor make are those of the order in which they happened to go on.
        records = sorted(record[1:] for record in comparable(records_of(runtime.store), server.url))
    return Execution(output, records, asked)


async def on_three_hosts(folder: Path, agent: Path, deaths: Collection[int], seed: int) -> tuple[Execution, int]:
    """How it ends there, and how many messages that took."""
    messages: list[int] = []
    configured = make_settings(folder, ENVIRON)
    troubles = Troubles(random.Random(seed), deaths, messages.append)
    async with open_three_hosts(configured, Policy.load(configured), Bounds(), 2, troubles) as runtime:
        return await execute(runtime, agent, random.Random(seed)), len(messages)


async def check(sources: Mapping[str, str], seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tools").mkdir()
        for file, source in sources.items():
            write_agent(folder, source, file)
        agent = folder / "agent.ts"
        async with open_runtime(make_settings(folder / "one process", ENVIRON)) as runtime:
            expected = await execute(runtime, agent, chance)
        whole, messages = await on_three_hosts(folder / "whole", agent, (), seed)
        assert whole == expected
        for number in range(rounds if messages else 0):
            deaths = {chance.randint(1, messages) for _ in range(chance.randint(1, MOST_DEATHS))}
            lossy, _ = await on_three_hosts(folder / f"lossy {number}", agent, deaths, seed + number)
            assert lossy.output == expected.output, deaths
            assert lossy.records == expected.records, (deaths, seed + number)
            assert lossy.requests.keys() == expected.requests.keys(), deaths


bounded = settings(
    deadline=None,
    derandomize=True,
    # Shrinking a hang takes minutes: leave it out to have that done.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
random_trees = given(sources=steady_trees(), seed=st.integers(0, 2**32))


@settings(bounded, max_examples=12)
@random_trees
def test_hosts_that_die_change_nothing(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed, 2))


@pytest.mark.slow
@settings(bounded, max_examples=100)
@random_trees
def test_many_trees_lose_hosts(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed, 6))
