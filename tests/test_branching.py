"""Branches from history: what came before a call is shared, the call answers differently, the rest is lived anew."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.errors import ChidoriError, RunNotFound, StoreError, UsageError
from chidori_actors.history import manifest, records
from chidori_actors.journal.collection import collect
from chidori_actors.journal.lanes import read_lane
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run, run_writes
from chidori_actors.journal.store import Store
from chidori_actors.journal.writes import DATABASES
from chidori_actors.session import actor_images
from chidori_actors.session.attendance import Attendance
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    bundle_of,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    within,
)
from tests.support.branches import (
    Always,
    agent_of,
    answer,
    branch,
    check_replay,
    numbers,
    run,
    seq_of,
    world,
)

SEQUENCE = """
  const answers = [await post("a"), await post("b"), await post("c")];
  return [...answers, await post("d"), Math.random(), Date.now() > 0];
"""


async def test_what_came_before_is_shared_and_the_edited_answer_is_seen(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        original = output_of(await run(runtime, agent_of(tmp_path, SEQUENCE), server))
        before = records_of(runtime.store)
        edited = await branch(runtime, 2, result=answer("edited"), note="b was wrong")
        assert output_of(edited)[:4] == ["a1", "edited", "c2", "d2"]
        assert output_of(edited)[4] == original[4], "the seed is inherited"
        assert made.requests == {"a": 1, "b": 1, "c": 2, "d": 2}
        assert made.keys["c"] == ["test-run:3", "branch:3"]
        await check_replay(runtime, made)
        assert records_of(runtime.store) == before
        assert output_of(await runtime.replay("test-run")) == original


async def test_the_record_of_a_branch_names_what_is_shared_and_what_was_edited(tmp_path: Path) -> None:
    async with world() as (_, server), runtime_in(tmp_path) as runtime:
        await run(runtime, agent_of(tmp_path, SEQUENCE), server)
        await branch(runtime, 2, result=answer("edited"), note="b was wrong")
        meta = get_run(runtime.store, "branch")
        found = records(runtime.store, meta)
        assert [record["origin_run_id"] for record in found] == ["test-run", None, None, None]
        assert [(record.get("edited"), record.get("note")) for record in found] == [
            (None, None),
            (True, "b was wrong"),
            (None, None),
            (None, None),
        ]
        assert numbers(found) == [1, 2, 5, 6], "numbers of the parent's other calls are not given out again"
        assert manifest(runtime.store, meta)["branch"] == {
            "parent_run_id": "test-run",
            "parallel_op_id": None,
            "branch_index": None,
            "at_seq": 2,
        }
        parent = get_run(runtime.store, "test-run")
        assert (meta.seed, meta.epoch_ms, meta.input) == (parent.seed, parent.epoch_ms, parent.input)


async def test_an_error_takes_the_place_of_a_result_and_the_other_way_round(tmp_path: Path) -> None:
    body = """
      const tried = await chidori.tryCall(() => chidori.tool("missing", {}));
      const got = await chidori.tryCall(() => post("a"));
      return [tried.ok ? tried.value : "failed", got.ok ? got.value : got.error];
    """
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        assert output_of(await run(runtime, agent_of(tmp_path, body), server)) == ["failed", "a1"]
        failing = await branch(runtime, seq_of(runtime, "a"), error="no route to host")
        assert output_of(failing) == ["failed", "no route to host"]
        working = await branch(runtime, seq_of(runtime, "tool"), result=b'{"found": 1}', new_id="other")
        assert output_of(working) == [{"found": 1}, "a2"]
        for run_id in ("branch", "other"):
            await check_replay(runtime, made, run_id)


async def test_a_branch_that_fails_by_its_edit_makes_the_call_after_all_when_it_is_resumed(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path, image_every=1) as runtime:
        path = agent_of(tmp_path, SEQUENCE)
        await run(runtime, path, server)
        failed = failure_of(await branch(runtime, 3, error="no c today"))
        assert failed.error["message"] == "no c today"
        assert failed.call == 3
        resumed = await within(20, runtime.resume("branch", current=bundle_of(path)))
        assert output_of(resumed)[:4] == ["a1", "b1", "c2", "d2"]
        await check_replay(runtime, made)


async def test_a_failure_in_the_shared_part_can_be_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor_images, "_IMAGE_WORTH", 0)
    body = """
      let fault: unknown;
      await post("a");
      const greeting = await chidori.env("GREETING").catch((error: unknown) => { fault = error; return "none"; });
      const seen = [greeting === "none", await post("b"), await post("c")];
      if (seen[2] === "edited") throw fault;
      return seen;
    """
    async with world() as (made, server):
        async with runtime_in(tmp_path, image_every=1) as runtime:
            assert output_of(await run(runtime, agent_of(tmp_path, body), server)) == [True, "b1", "c1"]
            failed = failure_of(await branch(runtime, seq_of(runtime, "c"), result=answer("edited")))
            assert failed.call == 2, "a call that the parent made, and whose failure its images have seen"
        async with runtime_in(tmp_path, {**LOCAL, "GREETING": "hello"}, image_every=1) as runtime:
            resumed = await within(20, runtime.resume("branch"))
            assert output_of(resumed) == [False, "b2", "c2"]
            assert made.requests["a"] == 1
            await check_replay(runtime, made)


CONCURRENT = """
  const slow = [post("slow"), post("other")];
  const first = await post("first");
  const second = await post("second");
  return [first, second, ...(await Promise.all(slow))];
"""


async def test_calls_in_flight_are_made_again_under_the_new_run(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        made.held["slow"] = asyncio.Event()
        running = asyncio.create_task(run(runtime, agent_of(tmp_path, CONCURRENT), server))
        await made.until_asked("slow")
        await made.until_asked("second")
        made.held["slow"].set()
        assert output_of(await running) == ["first1", "second1", "slow1", "other1"]
        result = await branch(runtime, seq_of(runtime, "first"), result=answer("edited"))
        output = output_of(result)
        assert output[:3] == ["edited", "second2", "slow2"]
        assert made.requests["first"] == 1
        assert made.keys["slow"] == ["test-run:1", "branch:1"]
        await check_replay(runtime, made)


async def test_a_running_run_can_be_branched(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        held = made.held["c"] = asyncio.Event()
        running = asyncio.create_task(run(runtime, agent_of(tmp_path, SEQUENCE), server))
        await made.until_asked("c")
        with pytest.raises(UsageError, match=r"call #3 \(http\) of run test-run has not ended"):
            await branch(runtime, 3, result=answer("edited"))
        branching = asyncio.create_task(branch(runtime, 1, result=answer("edited")))
        await made.until_asked("b")
        held.set()
        assert output_of(await branching)[:2] == ["edited", "b2"]
        assert output_of(await running)[:2] == ["a1", "b1"]


async def test_interrupted_failed_cancelled_and_paused_runs_can_be_branched(tmp_path: Path) -> None:
    body = """
      const seen = [await post("a")];
      if (seen[0] === "a1") await chidori.tool("missing", {});
      if (seen[0] === "again") seen.push(await chidori.input("Go on?"));
      if (seen[0] === "wait") seen.push(await post("held"));
      return [...seen, await post("b")];
    """
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        failure_of(await run(runtime, agent_of(tmp_path, body), server))
        paused = await branch(runtime, 1, result=answer("again"), new_id="paused")
        asked = pause_of(paused).questions[0]
        assert (asked.prompt, asked.path) == ("Go on?", "2")
        with pytest.raises(UsageError, match="has not ended"):
            await branch(runtime, asked.seq, result=b'"yes"', of="paused")
        made.held["held"] = asyncio.Event()
        waiting = asyncio.create_task(branch(runtime, 1, result=answer("wait"), of="paused", new_id="interrupted"))
        await made.until_asked("held")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert get_run(runtime.store, "interrupted").status == "running"
        for number, of in enumerate(("test-run", "paused", "interrupted")):
            new_id = f"of-{of}"
            edited = await branch(runtime, 1, result=answer(f"edited {of}"), of=of, new_id=new_id)
            assert output_of(edited) == [f"edited {of}", f"b{number + 1}"]
        cancelled = replace(get_run(runtime.store, "interrupted"), status="cancelled")
        await runtime.store.commit(run_writes(cancelled, new=False))
        edited = await branch(runtime, 1, result=answer("edited"), of="interrupted", new_id="of-cancelled")
        assert output_of(edited) == ["edited", "b4"]
        assert made.requests["a"] == 1


# -- refusals and the store -------------------------------------------------------------------------------------------


async def test_calls_that_cannot_be_edited_are_refused_with_a_reason(tmp_path: Path) -> None:
    body = """
      const controller = new AbortController();
      const { signal } = controller;
      const given = chidori.http(`${input.url}/held`, { method: "POST", signal }).catch(() => "aborted");
      await post("a");
      controller.abort();
      return [await given, await chidori.env("GREETING"), await chidori.prompt("Well?"),
        await chidori.input("Which?", { choices: ["x", "y"], default: "x" }).catch(() => "nobody"),
        await chidori.parallel([async () => 1, async () => 2], { settle: true })];
    """
    environ = {**LOCAL, "GREETING": "hello"}
    async with world() as (made, server), runtime_in(tmp_path, environ) as runtime:
        made.held["held"] = asyncio.Event()
        answers = Attendance(questions=Always("x"))
        await run(runtime, agent_of(tmp_path, body), server, attendance=answers)
        for at, result, text in [
            (1, answer("late"), r"call #1 \(http\) of run test-run was cancelled"),
            (99, answer("none"), "run test-run has no call #99"),
            (2, b"hello", "the result is not JSON: hello"),
            (seq_of(runtime, "env"), b'"hi"', "no record holds the value of a variable; set GREETING"),
            (seq_of(runtime, "prompt"), b"1", "a prompt answers with a text"),
            (seq_of(runtime, "input"), b'"z"', "the choices are x, y"),
            (seq_of(runtime, "parallel"), b"[1]", "an item for each of the 2 branches"),
            (seq_of(runtime, "parallel"), b"[1, 2]", "with `settle` each item is"),
        ]:
            with pytest.raises(UsageError, match=text):
                await branch(runtime, at, result=result)
        with pytest.raises(UsageError, match="either a result or an error"):
            await runtime.branch("test-run", 2)
        with pytest.raises(UsageError, match="run test-run exists already"):
            await branch(runtime, 2, result=answer("b"), new_id="test-run")
        with pytest.raises(RunNotFound):
            await branch(runtime, 2, result=answer("b"), of="nobody")
        with pytest.raises(RunNotFound):
            get_run(runtime.store, "branch")


async def test_a_call_that_was_taken_back_is_refused(tmp_path: Path) -> None:
    body = """
      const tried = await chidori.env("LATER").catch(async (error: unknown) => { await post("before"); throw error; });
      return [tried, await post("a")];
    """
    async with world() as (_, server):
        async with runtime_in(tmp_path) as runtime:
            failure_of(await run(runtime, agent_of(tmp_path, body), server))
            taken = seq_of(runtime, "before")
        async with runtime_in(tmp_path, {**LOCAL, "LATER": "now"}) as runtime:
            assert output_of(await within(20, runtime.resume("test-run")))[1] == "a1"
            with pytest.raises(ChidoriError, match=f"call #{taken} is not part of run test-run any more"):
                await branch(runtime, taken, result=answer("b"))


def stored_bytes(store: Store) -> int:
    return sum(len(key) + len(value) for database in DATABASES for key, value in store.scan(database))


async def test_a_branch_of_a_long_run_costs_kilobytes(tmp_path: Path) -> None:
    body = """
      for (let round = 0; round < 100; round++) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => chidori.memory("set", `key ${i}`, { round })));
      }
      return [await post("a"), await chidori.memory("get", "key 7")];
    """
    environ = {**LOCAL, "CHIDORI_DURABILITY": "relaxed"}
    async with world() as (made, server), runtime_in(tmp_path, environ) as runtime:
        assert output_of(await run(runtime, agent_of(tmp_path, body), server)) == ["a1", {"round": 99}]
        before = stored_bytes(runtime.store)
        observer = RecordingObserver()
        edited = await branch(runtime, 10_001, result=answer("edited"), attendance=Attendance(observer))
        assert output_of(edited) == ["edited", {"round": 99}]
        assert before > 1_000_000
        assert stored_bytes(runtime.store) - before < 16_384
        assert len(observer.of("call_ended")) < 10_000, "it goes on from an image of its parent"
        assert len(list(read_lane(runtime.store, edited.meta.lane))) == 20_004
        again = await branch(runtime, 5_000, result=b"null", of="branch", new_id="again")
        assert output_of(again) == ["a2", {"round": 99}]
        assert made.requests["a"] == 2


async def test_collection_keeps_what_a_branch_refers_to(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        await run(runtime, agent_of(tmp_path, SEQUENCE), server)
        await branch(runtime, 2, result=answer("edited"))
        now_ms = get_run(runtime.store, "branch").updated_at_ms + 10
        await runtime.store.commit(run_writes(replace(get_run(runtime.store, "branch"), status="paused"), new=False))
        kept = await collect(runtime.store, older_than_ms=0, now_ms=now_ms)
        assert (kept.runs, kept.kept) == (0, ("test-run",))
        await check_replay(runtime, made)


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_a_parent_that_is_dropped_meanwhile_leaves_no_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as (_, server), runtime_in(tmp_path) as runtime:
        await run(runtime, agent_of(tmp_path, SEQUENCE), server)
        later_ms = get_run(runtime.store, "test-run").updated_at_ms + 10
        commit = LocalStore.commit

        async def after_a_collection(store: LocalStore, writes: Any, **how: Any) -> None:
            if any(write.key == b"branch" for write in writes):
                monkeypatch.setattr(LocalStore, "commit", commit)
                assert (await collect(store, older_than_ms=0, now_ms=later_ms)).runs == 1
            await commit(store, writes, **how)

        monkeypatch.setattr(LocalStore, "commit", after_a_collection)
        with pytest.raises(StoreError, match="no run test-run"):
            await branch(runtime, 2, result=answer("edited"))
        with pytest.raises(RunNotFound):
            get_run(runtime.store, "branch")
