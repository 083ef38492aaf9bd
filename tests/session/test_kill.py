"""``kill -9`` at any moment: the run goes on in a new process, nothing settled is made again, nothing is lost."""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.journal.store import Store
from tests.support.agents import records_of, write_agent
from tests.support.drive import RUN
from tests.support.http_server import LocalServer, serve

KILLED = -signal.SIGKILL

AGENT = """
export async function agent(input: { url: string }, chidori: any) {
  const seen = new Map<string, number>();
  const send = async (name: string, method: string) => {
    const answer = await chidori.http(`${input.url}/${name}`, { method, body: method === "POST" ? name : null });
    seen.set(name, answer.body.answer);
    return answer.body.answer;
  };
  const out: unknown[] = [];
  for (let turn = 0; turn < 5; turn++) {
    out.push(await send(`post-${turn}`, "POST"));
    await chidori.memory("set", `key-${turn}`, out.length);
    out.push(await Promise.all([send(`a-${turn}`, "POST"), send(`b-${turn}`, "GET"), chidori.prompt(`p ${turn}`)]));
    await new Promise((resolve) => setTimeout(resolve, 1));
    out.push(await chidori.retry(() => send(`c-${turn}`, "POST"), { attempts: 2, delayMs: 1 }));
    await chidori.log(`turn ${turn}`, { size: seen.size });
  }
  return { out, seen: [...seen].sort(), keys: await chidori.memory("list"), random: Math.random() > 2 };
}
"""
REQUESTS = 20
CALLS = 41


class World:
    """A server whose answers depend on the path alone; ``on_request`` hears of the n-th request of a process."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.on_request: Callable[[int], None] = lambda count: None
        self._count = 0

    def watch(self, on_request: Callable[[int], None]) -> None:
        self._count = 0
        self.on_request = on_request

    async def handle(self, request: web.Request) -> web.Response:
        name = request.path
        self.requests[name] += 1
        if request.method == "POST":
            self.keys.setdefault(name, set()).add(request.headers["Idempotency-Key"])
        self._count += 1
        self.on_request(self._count)
        return web.json_response({"answer": sum(name.encode())})


@asynccontextmanager
async def world() -> AsyncIterator[tuple[World, LocalServer]]:
    made = World()
    async with serve(made.handle) as server:
        yield made, server


async def drive(folder: Path, server: LocalServer, kill: "Kill | None" = None) -> tuple[int, Any]:
    """One process of the run: its exit code, and what it printed unless it was killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.drive", str(folder), server.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if kill is not None:
        kill.of(process)
    try:
        async with asyncio.timeout(60):
            printed, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in (0, KILLED), errors.decode()
    return process.returncode or 0, orjson.loads(printed) if printed else None


class Kill:
    """Kills a process some ms after the server received its n-th request."""

    def __init__(self, made: World, at_request: int, delay_s: float) -> None:
        self._made = made
        self._at_request = at_request
        self._delay_s = delay_s

    def of(self, process: asyncio.subprocess.Process) -> None:
        def end() -> None:
            if process.returncode is None:
                process.kill()

        def on_request(count: int) -> None:
            if count == self._at_request:
                asyncio.get_running_loop().call_later(self._delay_s, end)

        self._made.watch(on_request)


def comparable(folder: Path) -> list[tuple[Any, ...]]:
    """What must be the same in every execution: without times, addresses and the marks of calls made again."""
    store = Store.open(folder / "store", create=False)
    try:
        records = records_of(store, RUN)
    finally:
        store.close()

    def plain(record: dict[str, Any]) -> tuple[Any, ...]:
        args, result = dict(record["args"]), record["result"]
        if record["function"] == "http":
            args["url"], result = args["url"].rpartition("/")[2], result["body"]
        return record["path"], record["function"], orjson.dumps(args), orjson.dumps(result), record.get("error")

    return sorted(map(plain, records))


def settled_requests(folder: Path) -> set[str]:
    """The paths of the requests whose answers are in the journal."""
    if not (folder / "store").exists():
        return set()
    store = Store.open(folder / "store", create=False)
    try:
        if store.get("runs", RUN.encode()) is None:
            return set()
        records = records_of(store, RUN)
    finally:
        store.close()
    return {"/" + record["args"]["url"].rpartition("/")[2] for record in records if record["function"] == "http"}


async def kill_and_resume(folder: Path, kills: list[tuple[int, float]], expected: Any) -> None:
    """Run in ``folder``, killed once per entry of ``kills`` (n-th request of that process, delay in s)."""
    folder.mkdir()
    write_agent(folder, AGENT)
    async with world() as (made, server):
        killed = 0
        for at_request, delay_s in kills:
            before = made.requests.copy()
            settled = settled_requests(folder)
            code, _ = await drive(folder, server, Kill(made, at_request, delay_s))
            killed += code == KILLED
            assert not settled & set(made.requests - before), "a settled call was made again"
        before = made.requests.copy()
        settled = settled_requests(folder)
        made.watch(lambda count: None)
        code, ended = await drive(folder, server)
        assert code == 0
        assert not settled & set(made.requests - before), "a settled call was made again"
        assert (ended, comparable(folder)) == expected
        assert len(made.requests) == REQUESTS
        assert max(made.requests.values()) <= 1 + killed
        # At most the three calls of a Promise.all are in flight when a process is killed.
        assert made.requests.total() <= REQUESTS + 2 * killed
        assert all(len(keys) == 1 for keys in made.keys.values()), "a repeated POST has its first key"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How the run ends when nobody kills it, and its records."""

    async def run(folder: Path) -> Any:
        write_agent(folder, AGENT)
        async with world() as (made, server):
            _, ended = await drive(folder, server)
            assert ended["status"] == "completed"
            assert made.requests.total() == REQUESTS
        return ended, comparable(folder)

    expected = asyncio.run(run(tmp_path_factory.mktemp("whole")))
    assert len(expected[1]) == CALLS
    return expected


@pytest.mark.parametrize("at_request", [1, 3, 8, 20])
async def test_a_killed_run_ends_as_if_it_had_not_been_killed(
    tmp_path: Path, uninterrupted: Any, at_request: int
) -> None:
    await kill_and_resume(tmp_path / "run", [(at_request, 0.001)], uninterrupted)


async def test_a_run_that_is_killed_again_and_again_ends_all_the_same(tmp_path: Path, uninterrupted: Any) -> None:
    await kill_and_resume(tmp_path / "run", [(5, 0.0), (4, 0.002)], uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("point", range(40))
async def test_forty_points(tmp_path: Path, uninterrupted: Any, point: int) -> None:
    chance = random.Random(point)
    kills = [(point % REQUESTS + 1, chance.uniform(0, 0.005))]
    if point % 3 == 0:
        kills.append((chance.randrange(1, 4), chance.uniform(0, 0.005)))
    await kill_and_resume(tmp_path / "run", kills, uninterrupted)
