"""How many calls a run's record has: known without a look at its lanes, and the same as the length of the record."""

import asyncio
from pathlib import Path

from chidori_actors.history import records
from chidori_actors.journal.call_count import has_progressed, recorded_calls
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.session.attendance import Attendance
from tests.support.agents import (
    RecordingObserver,
    failure_of,
    output_of,
    pause_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.gate import gate

SECONDS = 30
RUN = "test-run"

MIXED = """
export async function agent(input: any, chidori: any) {
  await chidori.log("one");
  await chidori.parallel([
    async () => { await chidori.log("in a branch"); },
    async () => { await chidori.log("in the other"); },
  ]);
  const name = await chidori.input("Name?");
  await chidori.log(name);
  return name;
}
"""

ONE_FAILS = """
export async function agent(input: any, chidori: any) {
  await chidori.log("before");
  return await chidori.parallel([
    async () => {
      await chidori.log("beside");
      return (await chidori.http(input.url + "/held")).body.through;
    },
    async () => {
      await chidori.log("fails");
      return await chidori.template("missing.md", {});
    },
  ]);
}
"""


def _check(store: Store, run_id: str = RUN) -> int:
    meta = get_run(store, run_id)
    counted = recorded_calls(store, meta)
    assert counted == len(records(store, meta)), run_id
    return counted


async def test_a_run_that_pauses_and_its_branch_and_replay(tmp_path: Path) -> None:
    path = write_agent(tmp_path, MIXED)
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, path))
        # The log, what the branches did, and `parallel`; the question has not ended.
        assert _check(runtime.store) == 4
        replayed = await runtime.replay_as(RUN, "copy")
        assert (replayed.meta.calls, _check(runtime.store, "copy")) == (4, 4)
        pause_of(await runtime.branch(RUN, 1, result=b"null", new_id="branch"))
        assert _check(runtime.store, "branch") == 4


async def test_a_run_under_way_counts_what_is_durable(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      for (const name of ["a", "b"]) await chidori.http(`${input.url}/${name}`);
    }"""
    path = write_agent(tmp_path, source)
    async with gate() as target:
        async with runtime_in(tmp_path) as runtime:
            running = asyncio.create_task(start(runtime, path, {"url": target.url}))
            await within(SECONDS, target.until_asked("/a"))
            assert (_check(runtime.store), has_progressed(runtime.store, get_run(runtime.store, RUN))) == (0, False)
            target.open("/a")
            await within(SECONDS, target.until_asked("/b"))
            assert (_check(runtime.store), has_progressed(runtime.store, get_run(runtime.store, RUN))) == (1, True)
            running.cancel()
            await asyncio.wait([running])
        async with runtime_in(tmp_path) as runtime:
            assert _check(runtime.store) == 1
            running = asyncio.create_task(runtime.resume(RUN))
            await within(SECONDS, target.until_asked("/b", 2))
            assert (_check(runtime.store), has_progressed(runtime.store, get_run(runtime.store, RUN))) == (1, False)
            target.open("/b")
            assert (await within(SECONDS, running)).meta.calls == _check(runtime.store) == 2


async def test_what_a_retry_takes_back_is_not_counted_any_more(tmp_path: Path) -> None:
    path = write_agent(tmp_path, ONE_FAILS)
    async with gate() as target, runtime_in(tmp_path) as runtime:
        failure_of(await within(SECONDS, start(runtime, path, {"url": target.url})))
        failed = _check(runtime.store)
        (tmp_path / "missing.md").write_text("found", encoding="utf-8")
        counted: list[int] = []
        observer = RecordingObserver(when_ended=lambda path: counted.append(_check(runtime.store)))
        target.open("/held")
        resumed = await within(SECONDS, runtime.resume(RUN, attendance=Attendance(observer)))
        assert output_of(resumed) == ["/held", "found"]
        assert counted, "nothing was made again"
        # Both logs of the branches, the request, the template, and `parallel`, after the log before them.
        assert (failed, _check(runtime.store)) == (6, 6)
