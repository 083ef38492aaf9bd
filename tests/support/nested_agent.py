"""An agent with branches, a sub-agent and a tool inside of one another, and a server that tells its requests apart."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.runs import RunMeta
from chidori_actors.runtime import Runtime
from chidori_actors.transfer import export_run

from .agents import pause_of, runtime_in, start, within, write_agent
from .http_server import serve

SECONDS = 60
TREE = """
export async function agent(input, chidori) {
  const get = async (path) => (await chidori.http(input.url + path)).body.answer;
  const early = chidori.http(input.url + "/early");
  const opening = await get("/opening");
  const seen = [opening];
  const branches = await chidori.parallel([
    async () => { seen.push(await get("/b0")); return { seen, early: (await early).body.answer }; },
    async () => ({ seen, child: await chidori.callAgent("./child.ts", { url: input.url }), r: Math.random() }),
    async () => {
      await chidori.http(input.url + "/early/free");
      return chidori.parallel([
        async () => [await get("/b2/0"), await chidori.input("In the third?")],
        async () => [await get("/b2/1"), (await early).body.answer, await get("/b2/1/then")],
      ], { settle: true });
    },
  ]);
  return { opening, seen, branches, early: (await early).body.answer, random: Math.random(), numbers: [1e-6, 1e21] };
}
"""
CHILD = """
export async function agent(input, chidori) {
  const first = (await chidori.http(input.url + "/child")).body.answer;
  return { first, asked: await chidori.tool("ask", { url: input.url }), random: Math.random() };
}
"""
ASK = """
export const tool = { name: "ask", description: "Asks.", parameters: { type: "object", properties: {} } };
export async function run(args, chidori) {
  const before = (await chidori.http(args.url + "/tool")).body.answer;
  const answer = await chidori.input("In the tool?", { choices: ["yes", "no"] });
  return { before, answer, after: (await chidori.http(args.url + "/tool/after")).body.answer };
}
"""


@dataclass
class World:
    """Answers every request with its path and how often that was asked for. ``/early`` is held until it is freed by
    a request that ends so."""

    requests: Counter[str] = field(default_factory=Counter)
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        self.requests[path] += 1
        if path.endswith("/free"):
            self.freed.set()
        elif path == "/early":
            await self.freed.wait()
        return web.json_response({"answer": f"{path}#{self.requests[path]}"})


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()
    async with serve(made.handle) as server:
        made.url = server.url
        yield made


class Answers:
    """Answers the questions that it knows by a word of theirs, and leaves the others open."""

    def __init__(self, **known: str) -> None:
        self.known = known

    async def ask(self, question: Question) -> str:
        for text, answer in self.known.items():
            if text in question.prompt:
                return answer
        raise Unanswered(question)


def write_tree(folder: Path, source: str = TREE) -> Path:
    """The agent with its sub-agent and its tool."""
    agent = write_agent(folder, source)
    write_agent(folder, CHILD, "child.ts")
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "tools" / "ask.ts").write_text(ASK, encoding="utf-8")
    return agent


@asynccontextmanager
async def other_store(tmp_path: Path, name: str = "other") -> AsyncIterator[Runtime]:
    """A runtime on an empty store in a folder without any source."""
    folder = tmp_path / name
    folder.mkdir()
    async with runtime_in(folder) as runtime:
        yield runtime


async def paused_tree(tmp_path: Path, served: World) -> tuple[bytes, RunMeta]:
    """The checkpoint of a run of ``TREE`` that waits for two answers. Its files are gone afterwards."""
    agent = write_tree(tmp_path)
    async with runtime_in(tmp_path) as runtime:
        result = await within(SECONDS, start(runtime, agent, {"url": served.url}))
        assert sorted(question.prompt for question in pause_of(result).questions) == ["In the third?", "In the tool?"]
        data = export_run(runtime.store, result.meta)
    for file in tmp_path.glob("**/*.ts"):
        file.unlink()
    return data, result.meta
