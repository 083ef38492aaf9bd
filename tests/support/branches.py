"""Runs that ask a server whose answers differ each time, and branches from their histories."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from chidori_actors.journal.records import Record
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from tests.support.agents import output_of, records_of, start, within, write_agent
from tests.support.http_server import LocalServer, serve

HEAD = """
const ask = (chidori: any, url: string) => async (name: string): Promise<string> =>
  (await chidori.http(`${url}/${name}`, { method: "POST" })).body.answer;
"""


@dataclass
class World:
    """A server that answers each request of a path differently; those of a path in ``held`` wait for the event."""

    requests: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    arrived: dict[str, asyncio.Event] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.path[1:]
        self.requests[name] += 1
        answer = f"{name}{self.requests[name]}"
        self.keys.setdefault(name, []).append(request.headers["Idempotency-Key"])
        self.arrived.setdefault(name, asyncio.Event()).set()
        if name in self.held:
            await self.held[name].wait()
        return web.json_response({"answer": answer})

    async def until_asked(self, name: str) -> None:
        await within(20, self.arrived.setdefault(name, asyncio.Event()).wait())


@asynccontextmanager
async def world() -> AsyncIterator[tuple[World, LocalServer]]:
    made = World()
    async with serve(made.handle) as server:
        yield made, server


def agent_of(folder: Path, body: str, name: str = "agent.ts") -> Path:
    """An agent whose function has ``body``; ``ask`` is in it."""
    source = f"{HEAD}export async function agent(input: any, chidori: any) {{\nconst post = ask(chidori, input.url);\n"
    return write_agent(folder, f"{source}{body}\n}}\n", name)


async def run(runtime: Runtime, path: Path, server: LocalServer, **more: Any) -> RunResult:
    async with asyncio.timeout(30):
        return await start(runtime, path, {"url": server.url}, **more)


def answer(text: str) -> bytes:
    """What an `http` call gives, as JSON text, with ``text`` as its answer."""
    return orjson.dumps({"status": 200, "headers": {}, "body": {"answer": text}})


def seq_of(runtime: Runtime, name: str, run_id: str = "test-run") -> int:
    """The seq of the request of that path, or of the only call of that function."""
    found = [
        record["seq"]
        for record in records_of(runtime.store, run_id)
        if record["function"] == name or str(record["args"].get("url", "")).endswith(f"/{name}")
    ]
    assert len(found) == 1, found
    return int(found[0])


async def branch(
    runtime: Runtime, at: int, *, result: bytes | None = None, of: str = "test-run", new_id: str = "branch", **more: Any
) -> RunResult:
    async with asyncio.timeout(30):
        return await runtime.branch(of, at, result=result, new_id=new_id, **more)


async def check_replay(runtime: Runtime, world: World, run_id: str = "branch") -> None:
    """The run's replay gives its output and asks nobody."""
    before = world.requests.copy()
    replayed = await within(20, runtime.replay(run_id))
    assert orjson.dumps(output_of(replayed)) == orjson.dumps(orjson.loads(get_run(runtime.store, run_id).output or b""))
    assert world.requests == before


def numbers(found: list[Record]) -> list[int]:
    """The seqs, after a look whether the order of the records is that of their ends."""
    indices = [record["index"] for record in found]
    assert indices == sorted(set(indices))
    return sorted(record["seq"] for record in found)


@dataclass(frozen=True)
class Always:
    """Answers every question alike."""

    text: str

    async def ask(self, question: Any) -> str:
        return self.text
