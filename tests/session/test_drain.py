"""A run that is drained: the calls under way settle, nothing new begins, and it goes on later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.images import newest_image
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef
from tests.support.agents import calls_of, output_of, records_of, runtime_in, start, within, write_agent
from tests.support.gate import Gate, gate

pytestmark = pytest.mark.only_local("runs on a cluster go on when their front ends; hosts are drained", also="hosts")
SECONDS = 30
RUN = "test-run"

LOOP = """
export async function agent(input: any, chidori: any) {
  setTimeout(() => {}, 3600_000);
  const first = await chidori.http(input.url + "/first");
  const second = await chidori.http(input.url + "/second");
  return [first.body.through, second.body.through];
}
"""

BRANCHES = """
export async function agent(input: any, chidori: any) {
  return await chidori.parallel(["a", "b"].map((name) => async () => {
    const first = await chidori.http(`${input.url}/${name}/1`);
    const inner = await chidori.callAgent("inner.ts", { url: `${input.url}/${name}/2` });
    return [first.body.through, inner];
  }), { concurrency: input.concurrency });
}
"""

INNER = """
export async function agent(input: any, chidori: any) {
  const answer = await chidori.http(input.url);
  await chidori.log("inner");
  return answer.body.through;
}
"""


class Drained:
    """A run under way, and the draining of it. The run is stopped once it is drained."""

    def __init__(self, runtime: Runtime, path: Path, value: Any) -> None:
        self._store = runtime.store
        self._root: asyncio.Future[ActorRef] = asyncio.get_running_loop().create_future()
        attendance = Attendance(holding=self._root.set_result)
        self.running = asyncio.create_task(start(runtime, path, value, attendance=attendance))
        self._draining: asyncio.Task[None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is under way any more."""
        assert self._draining is not None
        return self._draining.done()

    async def begin(self) -> None:
        root = await self._root
        self._draining = asyncio.ensure_future(root.drained())
        # Its first step is what is waited for: from then on nothing is delivered.
        await asyncio.sleep(0)

    async def stopped(self) -> None:
        assert self._draining is not None
        await within(SECONDS, self._draining)
        self.running.cancel()
        await within(SECONDS, asyncio.wait([self.running]))
        assert self.running.cancelled()
        await self._store.flush()


@asynccontextmanager
async def _gated(folder: Path, source: str) -> AsyncIterator[tuple[Gate, Path, Runtime]]:
    async with gate() as target, runtime_in(folder) as runtime:
        yield target, write_agent(folder, source), runtime


async def test_the_call_under_way_settles_and_no_other_begins(tmp_path: Path) -> None:
    async with _gated(tmp_path, LOOP) as (target, path, runtime):
        run = Drained(runtime, path, {"url": target.url})
        await within(SECONDS, target.until_asked("/first"))
        await run.begin()
        assert not run.is_done
        target.open("/first")
        await run.stopped()
        assert target.asked == ["/first"]
        assert [record["result"]["body"]["through"] for record in records_of(runtime.store)] == ["/first"]
        assert len(calls_of(runtime.store)) == 2  # the timer, which is not waited for, and the request
        image, _ = newest_image(runtime.store, get_run(runtime.store, RUN).lane)
        assert image is not None
        assert image.delivered == 0
        target.open("/second")
        assert output_of(await within(SECONDS, runtime.resume(RUN))) == ["/first", "/second"]
        assert target.asked == ["/first", "/second"]


async def test_what_waits_for_time_or_a_person_is_drained_at_once(tmp_path: Path) -> None:
    source = LOOP.replace("const first", 'const name = await chidori.input("Name?");\n  const first')
    async with _gated(tmp_path, source) as (target, path, runtime):
        posted = asyncio.Event()

        class Board:
            def post(self, question: Any, answered: Any) -> None:
                posted.set()

            def withdraw(self, question: Any) -> None: ...

            def pauses(self) -> None: ...

        root: asyncio.Future[ActorRef] = asyncio.get_running_loop().create_future()
        attendance = Attendance(board=Board(), holding=root.set_result)
        running = asyncio.create_task(start(runtime, path, {"url": target.url}, attendance=attendance))
        await within(SECONDS, posted.wait())
        await within(SECONDS, (await root).drained())
        running.cancel()
        await asyncio.wait([running])
        assert target.asked == []


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_branches_and_sub_agents_are_drained_with_their_run(tmp_path: Path, concurrency: int) -> None:
    write_agent(tmp_path, INNER, "inner.ts")
    async with _gated(tmp_path, BRANCHES) as (target, path, runtime):
        run = Drained(runtime, path, {"url": target.url, "concurrency": concurrency})
        target.open("/a/1")
        await within(SECONDS, target.until_asked("/a/2"))
        if concurrency == 2:
            await within(SECONDS, target.until_asked("/b/1"))
            target.open("/b/1")
            await within(SECONDS, target.until_asked("/b/2"))
        before = list(target.asked)
        await run.begin()
        assert not run.is_done
        target.open("/a/2")
        if concurrency == 2:
            target.open("/b/2")
        await run.stopped()
        assert target.asked == before
        ended = [record["function"] for record in records_of(runtime.store)]
        assert ended == ["http"] * len(before), "a sub-agent was given an answer"
        lanes = [actor.lane for actor in run_actors(runtime.store, get_run(runtime.store, RUN).lane)]
        assert all(newest_image(runtime.store, lane)[0] is not None for lane in lanes)
        for name in ("a/1", "a/2", "b/1", "b/2"):
            target.open(f"/{name}")
        expected = [["/a/1", "/a/2"], ["/b/1", "/b/2"]]
        assert output_of(await within(SECONDS, runtime.resume(RUN))) == expected
        assert sorted(target.asked) == ["/a/1", "/a/2", "/b/1", "/b/2"]


async def test_an_actor_that_was_about_to_begin_does_not(tmp_path: Path) -> None:
    """Its parent's call is under way already, and what that waits for is the record of it."""
    write_agent(tmp_path, INNER, "inner.ts")
    source = """export async function agent(input: any, chidori: any) {
      return await chidori.callAgent("inner.ts", input);
    }"""
    async with _gated(tmp_path, source) as (target, path, runtime):
        run = Drained(runtime, path, {"url": f"{target.url}/a"})
        await run.begin()
        await run.stopped()
        assert target.asked == []
        target.open("/a")
        assert output_of(await within(SECONDS, runtime.resume(RUN))) == "/a"
