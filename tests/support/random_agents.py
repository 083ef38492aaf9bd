"""Random small agents as TypeScript, and the scripted world in which they run."""

import asyncio
import hashlib
import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import orjson
from hypothesis import strategies as st

from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices
from chidori_actors.host.memory import FUNCTION as MEMORY

from .agents import RecordingObserver, Run

HEAD = """
import type { Chidori } from "chidori";

export async function agent(input: { start: number }, chidori: Chidori) {
  const trace: string[] = [];
  const seen = new Map<string, number>();
  let n = input.start;
  const note = (text: string): string => {
    trace.push(text);
    seen.set(text[0], (seen.get(text[0]) ?? 0) + 1);
    return text;
  };
  const ask = async (text: string, options = {}): Promise<string> =>
    note(await chidori.prompt(`${text} ${n++}`, options));
  const sleep = (ms: number): Promise<string> =>
    new Promise((resolve) => setTimeout(() => resolve(note(`slept ${ms}`)), ms));
  const remember = async (value: string): Promise<string> => {
    const key = `key ${Math.random()}`;
    await chidori.memory("set", key, { value });
    return note(`memory ${JSON.stringify(await chidori.memory("get", key))}`);
  };
  const told = async (text: string): Promise<string> => {
    await chidori.log(text, { n });
    return note(text);
  };
  const fail = async (text: string): Promise<string> => { throw new Error(`${text} ${n++}`); };
  const abortable = async (ms: number): Promise<string> => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ms);
    const result = await chidori.tryCall(() => ask("abortable", { signal: controller.signal }));
    clearTimeout(timer);
    return note(result.ok ? "in time" : "too late");
  };
"""
TAIL = """
  return { value, trace, seen: [...seen], n, random: Math.random() };
}
"""


def leaf() -> st.SearchStrategy[str]:
    """Expressions that are promises of a string."""
    few = st.integers(0, 4)
    return st.one_of(
        few.map(lambda i: f'ask("prompt {i}")'),
        few.map(lambda i: f'ask("flaky {i}")'),
        few.map(lambda i: f'ask("bad {i}")'),
        few.map(lambda ms: f"sleep({ms})"),
        few.map(lambda i: f'told("log {i}")'),
        few.map(lambda i: f'remember("value {i}")'),
        few.map(lambda i: f'fail("thrown {i}")'),
        few.map(lambda ms: f"abortable({ms})"),
        few.map(lambda i: f'(async () => {{ chidori.log("not awaited {i}"); return note("left"); }})()'),
    )


def several(children: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(children, min_size=1, max_size=3)


def nested(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def sequence(parts: list[str]) -> str:
        steps = "".join(f"parts.push(await {part}); " for part in parts)
        return f'(async () => {{ const parts: string[] = []; {steps}return note(parts.join("+")); }})()'

    def combined(method: str) -> st.SearchStrategy[str]:
        return several(children).map(
            lambda parts: (
                f"Promise.{method}([{', '.join(parts)}]).then((all) => note(`{method} ${{JSON.stringify(all)}}`))"
            )
        )

    return st.one_of(
        several(children).map(sequence),
        combined("all"),
        combined("race"),
        combined("allSettled"),
        combined("any"),
        children.map(lambda child: f"chidori.retry(() => {child}, {{ attempts: 2, delayMs: 1 }})"),
        children.map(lambda child: f"chidori.tryCall(() => {child}).then((tried) => note(JSON.stringify(tried)))"),
        children.map(
            lambda child: (
                "(async () => { let last = ''; for (const turn of [1, 2]) { "
                f"last = turn + await {child}; }} return note(last); }})()"
            )
        ),
        children.map(lambda child: f"{child}.catch((error) => note(`caught ${{error.message}}`))"),
    )


def agent_sources() -> st.SearchStrategy[str]:
    """Sources of agents that end, one way or the other, whatever the world answers when."""
    return bodies(st.recursive(leaf(), nested, max_leaves=7)).map(lambda body: f"{HEAD}{body}{TAIL}")


def bodies(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """What stands between head and tail: it waits for a few of ``part``."""
    awaited = st.lists(part, min_size=2, max_size=4).map(lambda parts: ", ".join(f"await {part}" for part in parts))
    return awaited.map(lambda expressions: f"  const value = [{expressions}];")


def answer(call: HostCall) -> HostResult:
    """What the model says, which depends on the call alone, so that a call made again has the same answer."""
    text = call.args["text"]
    digest = hashlib.sha256(f"{call.path} {text}".encode()).digest()
    if text.startswith("bad") or (text.startswith("flaky") and digest[0] % 2):
        raise HostError(f"no answer to {text}", name="ProviderError", data={"status": 500 + digest[0]})
    return HostResult(orjson.dumps(f"{text}#{digest[:3].hex()}"))


def scripted_world(delays: random.Random) -> dict[str, Run]:
    """Prompts that answer, or fail, after random delays of 0 to 3 ms."""

    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        await asyncio.sleep(delays.randrange(4) / 1000)
        return answer(call)

    return {"prompt": prompt}


@dataclass
class Conductor:
    """Lets calls settle in a given order, so that a second execution can meet the same race outcomes.

    Those in ``afterwards`` settled when the agent had ended: nobody waits for their turns to be over. Calls that are
    not in ``order`` never settle.
    One that is cancelled gives up its turn: ``observer`` must watch the run, for a call that was aborted before a
    crash is not even begun again.
    """

    order: list[str]
    afterwards: Collection[str]

    def __post_init__(self) -> None:
        self._turns = {path: asyncio.Event() for path in self.order}
        self.observer = RecordingObserver(when_ended=self.leave)
        self._open()

    def functions(self) -> dict[str, Run]:
        """Functions that answer as ``scripted_world`` does, each at its turn."""

        async def prompt(call: HostCall, services: HostServices) -> HostResult:
            await self._wait(call.path)
            return answer(call)

        async def memory(call: HostCall, services: HostServices) -> HostResult:
            await self._wait(call.path)
            assert MEMORY.run is not None
            return await MEMORY.run(call, services)

        async def nothing(call: HostCall, services: HostServices) -> HostResult:
            await self._wait(call.path)
            return HostResult(b"null")

        return {"prompt": prompt, "memory": memory, "timer": nothing, "log": nothing}

    async def _wait(self, path: str) -> None:
        try:
            await self.turn(path).wait()
        except asyncio.CancelledError:
            self.leave(path)
            raise

    def turn(self, path: str) -> asyncio.Event:
        """Set once it is the turn of ``path``, which lasts until ``leave``; never for one that has none."""
        return self._turns.get(path, asyncio.Event())

    def leave(self, path: str) -> None:
        """What had its turn has settled, or never will."""
        if path in self.order:
            self.order.remove(path)
            self._open()

    def _open(self) -> None:
        for path in self.order:
            self._turns[path].set()
            if path not in self.afterwards:
                break


def left_of(order: Iterable[str], done: Iterable[str]) -> list[str]:
    """``order`` without the paths in ``done``."""
    gone = set(done)
    return [path for path in order if path not in gone]
