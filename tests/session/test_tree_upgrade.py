"""A run that waits inside nested branches is not stranded by another engine or by changed source."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.engine import load_engine
from tests.support.agents import bundle_of, output_of, pause_of, runtime_in, start, write_agent
from tests.support.http_server import LocalServer
from tests.support.killing import World, world

AGENT = """
export async function agent(input: { url: string }, chidori: any) {
  const log: string[] = [];
  const send = async (name: string): Promise<number> => {
    const answer = await chidori.http(`${input.url}/${name}`, { method: "POST", body: name });
    log.push(name);
    return answer.body.answer;
  };
  const shared = send("shared");
  const parts = await chidori.parallel([
    () => chidori.parallel([
      async () => [await send("a-1"), await chidori.input("first?"), await send("a-2"), log],
      async () => [await send("b"), await chidori.callAgent("child.ts", input), log],
      async () => [await send("finished"), log],
    ]),
    async () => [await send("c"), await chidori.input("second?"), log],
  ], { concurrency: 2 });
  return { parts, shared: await shared, log };
}
"""
CHILD = """
export async function agent(input: { url: string }, chidori: any) {
  const first = await chidori.http(`${input.url}/child`, { method: "POST", body: "child" });
  return [first.body.answer, await chidori.input("third?")];
}
"""
BEFORE_THE_PAUSE = {"/shared", "/a-1", "/b", "/finished", "/c", "/child"}
ANSWERS = {"first?": "one", "second?": "two", "third?": "three"}


@dataclass(frozen=True, slots=True)
class Answers:
    """Somebody who knows the answers to some questions."""

    known: Mapping[str, str]

    async def ask(self, question: Question) -> str:
        if question.prompt not in self.known:
            raise Unanswered(question)
        return self.known[question.prompt]


@asynccontextmanager
async def paused(folder: Path) -> AsyncIterator[tuple[Runtime, Path, World, LocalServer]]:
    """A run in which three questions are open and a branch has ended."""
    agent = write_agent(folder, AGENT)
    write_agent(folder, CHILD, "child.ts")
    async with world() as (made, server), runtime_in(folder) as runtime:
        result = await start(runtime, agent, {"url": server.url})
        assert {question.prompt for question in pause_of(result).questions} == set(ANSWERS)
        assert set(made.requests) == BEFORE_THE_PAUSE
        yield runtime, agent, made, server


def expected(extra: tuple[str, ...] = ()) -> Any:
    """The output: answers depend on the names of requests, and each branch logs its own after its parent's."""

    def answer(name: str) -> int:
        return sum(f"/{name}".encode())

    added = [answer(name) for name in extra]
    inner = [
        [answer("a-1"), "one", answer("a-2"), *added, ["a-1", "a-2", *extra]],
        [answer("b"), [answer("child"), "three"], ["b"]],
        [answer("finished"), ["finished"]],
    ]
    parts = [inner, [answer("c"), "two", ["c"]]]
    return {"parts": parts, "shared": answer("shared"), "log": ["shared"]}


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_another_golden_image_strands_no_run_that_waits_in_nested_branches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with paused(tmp_path) as (runtime, _, made, _):
        monkeypatch.setattr(load_engine(), "golden", "of-another-build")
        again = await runtime.resume("test-run")
        assert {question.prompt for question in pause_of(again).questions} == set(ANSWERS)
        one = await runtime.resume("test-run", attendance=Attendance(questions=Answers({"third?": "three"})))
        assert {question.prompt for question in pause_of(one).questions} == {"first?", "second?"}
        ended = await runtime.resume("test-run", attendance=Attendance(questions=Answers(ANSWERS)))
        assert output_of(ended) == expected()
        assert set(made.requests) == BEFORE_THE_PAUSE | {"/a-2"}
        assert made.requests.total() == len(made.requests), "nothing was sent again"


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_a_run_goes_on_with_images_of_two_engines_among_its_actors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with paused(tmp_path) as (runtime, _, made, _):
        with monkeypatch.context() as patch:
            patch.setattr(load_engine(), "golden", "of-another-build")
            await runtime.resume("test-run", attendance=Attendance(questions=Answers({"first?": "one"})))
        ended = await runtime.resume("test-run", attendance=Attendance(questions=Answers(ANSWERS)))
        assert output_of(ended) == expected()
        assert made.requests.total() == len(made.requests), "nothing was sent again"


async def test_changed_source_goes_on_in_unfinished_branches(tmp_path: Path) -> None:
    async with paused(tmp_path) as (runtime, agent, made, _):
        changed = AGENT.replace('await send("a-2"), log]', 'await send("a-2"), await send("extra"), log]')
        assert changed != AGENT
        current = bundle_of(write_agent(tmp_path, changed))
        again = await runtime.resume("test-run", current=current, allow_source_change=True)
        assert {question.prompt for question in pause_of(again).questions} == set(ANSWERS)
        ended = await runtime.resume(
            "test-run", current=bundle_of(agent), attendance=Attendance(questions=Answers(ANSWERS))
        )
        assert output_of(ended) == expected(("extra",))
        assert set(made.requests) == BEFORE_THE_PAUSE | {"/a-2", "/extra"}
        assert made.requests.total() == len(made.requests), "nothing was sent again"
