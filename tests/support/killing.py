"""Runs in processes of their own that are killed and resumed, and a server that counts what they send.

On a cluster, hosts are killed in the place of these processes, and nobody resumes the run: it goes on by itself.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from chidori_actors import exact_json
from chidori_actors.journal.actors import ActorMeta, run_actors
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.records import Record
from chidori_actors.journal.runs import get_run

from .agents import records_of, write_agent
from .drive import IMAGE_EVERY, RUN, ended, run_on, settings_in
from .http_server import LocalServer, serve
from .systems import VARIABLE, chosen_system, kill_host, open_runtime

KILLED = -signal.SIGKILL
SECONDS = 60
"""Generous: the machine may be busy."""


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


class Kill:
    """Kills a process some s after the server received its n-th request."""

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


async def drive(folder: Path, server: LocalServer, kill: Kill | None = None) -> tuple[int, Any]:
    """One process of the run: its exit code, and what it printed unless it was killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.drive", str(folder), server.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # What a run on a cluster must come to is what one process comes to.
        env={**os.environ, VARIABLE: "local"} if chosen_system() == "ray" else None,
    )
    if kill is not None:
        kill.of(process)
    try:
        async with asyncio.timeout(SECONDS):
            printed, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode in (0, KILLED), errors.decode()
    return process.returncode or 0, exact_json.loads(printed) if printed else None


def comparable(records: Iterable[Record], url: str) -> list[tuple[Any, ...]]:
    """What must be the same in every execution: without times, the server's ``url``, and the marks of calls made
    again."""

    def plain(record: Record) -> tuple[Any, ...]:
        args, result = dict(record["args"]), record["result"]
        if record["function"] == "http" and result is not None:
            result = result["body"]
        args.pop("request_digest", None)
        text = exact_json.dumps([args, result]).replace(url.encode(), b"")
        return record["path"], record["function"], text, record.get("error")

    return sorted(map(plain, records))


@dataclass(frozen=True, slots=True)
class Left:
    """What a process left in the store: the records of the calls that ended, and the actors that did."""

    records: Sequence[Record] = ()
    ended: Mapping[str, ActorMeta] | None = None

    @property
    def requests(self) -> set[str]:
        """The paths of the requests whose answers are in the journal."""
        urls = (record["args"]["url"] for record in self.records if record["function"] == "http")
        return {"/" + url.rpartition("/")[2] for url in urls}


def left_in(folder: Path) -> Left:
    """What the store in ``folder`` has of the run; nothing when there is none yet."""
    if not (folder / "store").exists():
        return Left(ended={})
    store = LocalStore.open(folder / "store", create=False)
    try:
        if store.get("runs", RUN.encode()) is None:
            return Left(ended={})
        actors = run_actors(store, get_run(store, RUN).lane)
        ended = {actor.path: actor for actor in actors if actor.status in ("completed", "failed")}
        return Left(records_of(store, RUN), ended)
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Source files by name, ``agent.ts`` or ``agent.star`` among them; how many requests the run makes, and how many of
    them at most are under way at one moment."""

    files: Mapping[str, str]
    requests: int
    at_once: int

    def write(self, folder: Path) -> None:
        for name, source in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_agent(folder, source, name)

    async def uninterrupted(self, folder: Path) -> tuple[Any, list[tuple[Any, ...]]]:
        """How the run ends when nobody kills it, and its records."""
        self.write(folder)
        async with world() as (made, server):
            _, ended = await drive(folder, server)
        assert ended["status"] == "completed", ended
        assert len(made.requests) == made.requests.total() == self.requests, made.requests
        return ended, comparable(left_in(folder).records, server.url)

    async def kill_and_resume(self, folder: Path, kills: Iterable[tuple[int, float]], expected: Any) -> None:
        """Run in ``folder``, killed once per entry of ``kills`` (n-th request of that process, delay in s)."""
        folder.mkdir()
        self.write(folder)
        async with world() as (made, server):
            on_hosts = chosen_system() == "ray"
            killed, ended, found = await (_kill_hosts if on_hosts else _kill_processes)(folder, made, server, kills)
        records = comparable(found, server.url)
        assert ended == expected[0], ended
        assert records == expected[1], set(records) ^ set(expected[1])
        assert len(made.requests) == self.requests
        assert max(made.requests.values()) <= 1 + killed
        assert made.requests.total() <= self.requests + self.at_once * killed
        assert all(len(keys) == 1 for keys in made.keys.values()), "a repeated POST has its first key"


async def _kill_processes(
    folder: Path, made: World, server: LocalServer, kills: Iterable[tuple[int, float]]
) -> tuple[int, Any, Sequence[Record]]:
    """How many were killed, how the run ended, and its records."""
    killed = 0
    for at_request, delay_s in kills:
        code, _ = await _drive_on(folder, made, server, Kill(made, at_request, delay_s))
        killed += code == KILLED
    made.watch(lambda count: None)
    code, ended = await _drive_on(folder, made, server, None)
    assert code == 0
    return killed, ended, left_in(folder).records


async def _reached(made: World, at_request: int) -> None:
    """Wait for the n-th request from now on."""
    reached = asyncio.Event()
    made.watch(lambda count: reached.set() if count == at_request else None)
    await reached.wait()


async def _kill_hosts(
    folder: Path, made: World, server: LocalServer, kills: Iterable[tuple[int, float]]
) -> tuple[int, Any, Sequence[Record]]:
    """The same on a cluster. The run's home and the other host are killed in turn."""
    settings = settings_in(folder, server.url)
    async with open_runtime(settings, image_every=IMAGE_EVERY) as runtime, asyncio.TaskGroup() as group:
        running = group.create_task(run_on(runtime, folder, server.url))
        killed = 0
        for number, (at_request, delay_s) in enumerate(kills):
            waiting = group.create_task(_reached(made, at_request))
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                waiting.cancel()
                break
            await asyncio.sleep(delay_s)
            killed += await kill_host(settings, RUN, at_home=number % 2 == 0)
        result = await running
        return killed, ended(result), records_of(runtime.store, RUN)


async def _drive_on(folder: Path, made: World, server: LocalServer, kill: Kill | None) -> tuple[int, Any]:
    """One more process: it makes no settled call again and starts no actor again that has ended."""
    before, requests = left_in(folder), made.requests.copy()
    driven = await drive(folder, server, kill)
    again = before.requests & set(made.requests - requests)
    assert not again, f"settled calls were made again: {again}"
    after = left_in(folder).ended or {}
    assert {path: after.get(path) for path in before.ended or {}} == before.ended, "an ended actor was run again"
    return driven
