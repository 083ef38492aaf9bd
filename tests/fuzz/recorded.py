"""A store with runs that were recorded by a real runtime, to be spoilt and looked at again and again."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Database, Write
from chidori_actors.journal.writes import DATABASES
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.attendance import Attendance
from tests.support.agents import output_of, pause_of, runtime_in, start, write_agent
from tests.support.services import ScriptedQuestions

Pair = tuple[Database, bytes, bytes]

AGENT = """
import { shout } from "./words";
export async function agent(input, chidori) {
  const seen = [shout(await chidori.prompt("first"))];
  await chidori.memory("set", "k", { deep: [1, 2] });
  await chidori.log("a line", { n: 1 });
  const both = await chidori.parallel([
    async () => [seen.length, await chidori.template("{{ 'x' * 6000 }}", {})],
    async () => chidori.callAgent("./child.ts", { n: 2 }),
  ]);
  const kept = await chidori.memory("get", "k");
  const answers = [];
  for (const number of [1, 2, 3, 4, 5]) {
    answers.push(await chidori.input(`Go on (${number})?`, { choices: ["yes", "no"] }));
  }
  return { seen, both, kept, answers, random: Math.random(), again: await chidori.prompt("last") };
}
"""
CHILD = "export async function agent(input, chidori) { return [input.n, await chidori.prompt('child')]; }"
WORDS = "export const shout = (text) => text.toUpperCase();"


@dataclass
class Recorded:
    """A store with a paused run ``one`` and its continuation's output, and with a completed run ``done``."""

    folder: Path
    output: Any
    pairs: list[Pair]

    @property
    def store(self) -> Path:
        return self.folder / "store"


async def record(folder: Path) -> Recorded:
    agent = write_agent(folder, AGENT)
    write_agent(folder, CHILD, "child.ts")
    write_agent(folder, WORDS, "words.ts")
    async with runtime_in(folder, image_every=1) as runtime:
        # Each pause leaves an image.
        pause_of(await start(runtime, agent, {"n": 1}, run_id="one"))
        for _ in range(4):
            pause_of(await resume(runtime, answers=1))
        await start(runtime, agent, {"n": 2}, run_id="done", attendance=_answering(5))
    shutil.copytree(folder / "store", folder / "kept")
    async with runtime_in(folder, image_every=1) as runtime:
        output = output_of(await resume(runtime))
    store = LocalStore.open(folder / "kept")
    names: tuple[Database, ...] = DATABASES
    pairs = [(name, key, value) for name in names for key, value in store.scan(name)]
    store.close()
    return Recorded(folder, output, pairs)


async def resume(runtime: Runtime, *, answers: int = 5) -> RunResult:
    """Let the run ``one`` go on, with so many answers to its questions."""
    return await runtime.resume("one", attendance=_answering(answers))


def _answering(answers: int) -> Attendance:
    return Attendance(questions=ScriptedQuestions(["yes"] * answers))


def spoil(recorded: Recorded, writes: list[Write]) -> None:
    """A store as it was, with those writes made to it."""
    shutil.rmtree(recorded.store)
    shutil.copytree(recorded.folder / "kept", recorded.store)

    async def commit() -> None:
        store = LocalStore.open(recorded.store)
        await store.commit(writes)
        store.close()

    asyncio.run(commit())


def flips(pairs: list[Pair]) -> st.SearchStrategy[Write]:
    """One value with one bit flipped; every database as often as every other, however much it holds."""

    def flip(pair: Pair) -> st.SearchStrategy[Write]:
        database, key, value = pair
        bits = st.integers(0, len(value) * 8 - 1)
        return bits.map(lambda bit: Write(database, key, flipped(value, bit)))

    names = sorted({database for database, _, value in pairs if value})
    return st.sampled_from(names).flatmap(
        lambda name: st.sampled_from([pair for pair in pairs if pair[0] == name and pair[2]]).flatmap(flip)
    )


def flipped(value: bytes, bit: int) -> bytes:
    at = bit >> 3
    return value[:at] + bytes([value[at] ^ 1 << (bit & 7)]) + value[at + 1 :]
