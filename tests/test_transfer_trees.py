"""Runs with branches, sub-agents and tools carried from one store to another, and continued there."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.history import current_status, records
from chidori_actors.journal.lease import holder
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Completed
from chidori_actors.transfer import export_run, import_checkpoint
from tests.support.agents import (
    RecordingObserver,
    bundle_of,
    failure_of,
    output_of,
    pause_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.nested_agent import SECONDS, Answers, other_store, paused_tree, world, write_tree


async def test_a_run_paused_three_levels_deep_goes_on_in_an_empty_store(tmp_path: Path) -> None:
    async with world() as served, other_store(tmp_path) as runtime:
        data, here = await paused_tree(tmp_path, served)
        meta = await import_checkpoint(runtime.store, data)
        assert (meta.status, meta.warnings, meta.pending) == ("paused", (), here.pending)
        assert holder(runtime.store, meta.id) is None
        before = Counter(served.requests)
        first = await within(SECONDS, runtime.resume(meta.id, attendance=Attendance(questions=Answers(tool="yes"))))
        assert [question.prompt for question in pause_of(first).questions] == ["In the third?"]
        assert served.requests - before == Counter({"/tool/after": 1})
        observer = RecordingObserver()
        last = Attendance(observer, Answers(third="no"))
        output = output_of(await within(SECONDS, runtime.resume(meta.id, attendance=last)))
        assert set(served.requests.values()) == {1}
        assert output["branches"][0] == {"seen": ["/opening#1", "/b0#1"], "early": "/early#1"}
        assert output["branches"][1]["child"]["asked"] == {
            "before": "/tool#1",
            "answer": "yes",
            "after": "/tool/after#1",
        }
        assert output["branches"][2][1]["value"] == ["/b2/1#1", "/early#1", "/b2/1/then#1"]
        assert output["branches"][2][0]["value"] == ["/b2/0#1", "no"]
        assert (await runtime.replay(meta.id)).rest == Completed(get_run(runtime.store, meta.id).output or b"")
        assert len({record["seq"] for record in records(runtime.store, meta)}) == len(records(runtime.store, meta))


def record_set(store: Store) -> list[tuple[Any, ...]]:
    """The calls and their results, without what differs between two requests for the same thing."""
    found = records(store, get_run(store, "test-run"))
    return sorted(
        (record["path"], record["function"], str(record["args"]), _body(record["result"])) for record in found
    )


def _body(result: Any) -> str:
    return str(result["body"] if isinstance(result, dict) and "body" in result else result)


async def test_the_other_store_gives_what_the_first_one_gives(tmp_path: Path) -> None:
    both = Attendance(questions=Answers(tool="no", third="yes"))
    async with world() as served:
        data, _ = await paused_tree(tmp_path, served)
        async with other_store(tmp_path) as runtime:
            await import_checkpoint(runtime.store, data)
            there = (await within(SECONDS, runtime.resume("test-run", attendance=both))).meta.output
            records_there = record_set(runtime.store)
        # What was asked for there is asked for here as well.
        served.requests["/tool/after"] = 0
        async with runtime_in(tmp_path) as runtime:
            here = (await within(SECONDS, runtime.resume("test-run", attendance=both))).meta.output
            records_here = record_set(runtime.store)
    assert there is not None
    assert (there, records_there) == (here, records_here)


async def test_what_is_imported_is_exported_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an import keeps only paths below the working directory
    async with world() as served, other_store(tmp_path) as runtime:
        data, _ = await paused_tree(tmp_path, served)
        again = export_run(runtime.store, await import_checkpoint(runtime.store, data))
    before, after = orjson.loads(data), orjson.loads(again)
    for document in (before, after):
        for record in document["call_log"]:
            del record["origin_run_id"]
        del document["run"]["origin_run_id"]
        # The images stay behind.
        for name in ("snapshot_kind", "snapshot_file", "engine_build", "golden_image"):
            del document["snapshot_manifest"][name]
    assert after == before
    assert [actor["path"] for actor in before["actors"]] == [
        "3/b0",
        "3/b1",
        "3/b2",
        "3/b1/1",
        "3/b2/2/b0",
        "3/b2/2/b1",
        "3/b1/1/2",
    ]
    assert len(before["actors"][5]["inherited"]) == 1


async def test_a_completed_tree_is_replayed_in_the_other_store_and_shows_all_of_its_calls(tmp_path: Path) -> None:
    agent = write_tree(tmp_path)
    async with world() as served, other_store(tmp_path) as runtime:
        async with runtime_in(tmp_path) as here:
            both = Attendance(questions=Answers(tool="yes", third="no"))
            done = await within(SECONDS, start(here, agent, {"url": served.url}, attendance=both))
            data, paths = export_run(here.store, done.meta), [each["path"] for each in records(here.store, done.meta)]
        agent.unlink()
        asked = Counter(served.requests)
        meta = await import_checkpoint(runtime.store, data)
        assert (meta.status, meta.output) == ("completed", done.meta.output)
        assert (await runtime.replay(meta.id)).rest == Completed(done.meta.output or b"")
        assert [record["path"] for record in records(runtime.store, meta)] == paths
        assert {"3/b1/1/2/3", "3/b2/2/b1/2"} < set(paths)
        assert served.requests == asked


FAILING = """
export async function agent(input, chidori) {
  const get = async (path) => {
    const answer = await chidori.http(input.url + path);
    if (answer.status !== 200) await chidori.template("{{ broken.by.server }}");
    return answer.body.answer;
  };
  return await chidori.parallel([
    () => get("/finished"),
    async () => [await get("/b1"), await chidori.template("b1.txt"), await get("/b1/then")],
  ]);
}
"""


async def test_a_tree_that_failed_makes_the_failed_call_again_in_the_other_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # an import keeps only paths below the working directory
    async with world() as served, other_store(tmp_path) as runtime:
        agent = write_agent(tmp_path, FAILING)
        async with runtime_in(tmp_path) as here:
            failed = await within(SECONDS, start(here, agent, {"url": served.url}))
            message = failure_of(failed).error["message"]
            assert "branch 1" in message
            data = export_run(here.store, failed.meta)
        meta = await import_checkpoint(runtime.store, data)
        assert (meta.status, meta.failed_ordinal) == ("failed", 1)
        replayed = failure_of(await runtime.replay(meta.id))
        assert (replayed.error["message"], replayed.error.get("location")) == (
            message,
            failure_of(failed).error["location"],
        )
        # The template is there now: it is of the recorded source no more than before, but of the folder.
        (tmp_path / "b1.txt").write_text("there", encoding="utf-8")
        done = await within(SECONDS, runtime.resume(meta.id))
        assert output_of(done) == ["/finished#1", ["/b1#1", "there", "/b1/then#1"]]
        assert set(served.requests.values()) == {1}


async def test_an_interrupted_tree_is_continued_in_the_other_store(tmp_path: Path) -> None:
    source = """
export async function agent(input, chidori) {
  const get = async (path) => (await chidori.http(input.url + path)).body.answer;
  return await chidori.parallel([() => get("/b0"), async () => [await get("/b1"), await get("/early")]]);
}
"""
    async with world() as served, other_store(tmp_path) as runtime:
        agent = write_agent(tmp_path, source)
        under_way, ended = asyncio.Event(), asyncio.Event()
        left = {"1/b0/1", "1/b1/1"}

        def when_ended(path: str) -> None:
            left.discard(path)
            if not left:
                ended.set()

        observer = RecordingObserver(when_ended=when_ended)
        observer.when_started = lambda path, call: under_way.set() if path == "1/b1/2" else None
        async with runtime_in(tmp_path) as here:
            run = asyncio.create_task(start(here, agent, {"url": served.url}, attendance=Attendance(observer)))
            await within(SECONDS, under_way.wait())
            await within(SECONDS, ended.wait())
            run.cancel()
            await asyncio.wait([run])
            data = export_run(here.store, get_run(here.store, "test-run"))
        meta = await import_checkpoint(runtime.store, data)
        assert current_status(runtime.store, meta) == "interrupted"
        served.freed.set()
        done = await within(SECONDS, runtime.resume(meta.id))
        assert (served.requests["/b0"], served.requests["/b1"]) == (1, 1)
        assert output_of(done) == ["/b0#1", ["/b1#1", f"/early#{served.requests['/early']}"]]


def _record(seq: int, function: str, **more: Any) -> dict[str, Any]:
    record = {"seq": seq, "function": function, "args": {}, "result": None, "timestamp": "2026-01-01T00:00:00Z"}
    return {**record, **more}


CALLING = """
export async function agent(input, chidori) {
  const child = await chidori.callAgent("./child.ts", {});
  return [child, await chidori.input("Go on?")];
}
"""


async def test_containers_of_another_implementation_answer_from_their_records(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, CALLING)
    write_agent(tmp_path, "export async function agent() { throw new Error('not run'); }", "child.ts")
    log = [
        _record(2, "log", parent_seq=1, args={"message": "inside"}),
        _record(1, "call_agent", args={"path": "./child.ts", "input": {}}, result="theirs"),
    ]
    async with runtime_in(tmp_path) as runtime:
        data = orjson.dumps({"session_id": "theirs", "input": {}, "call_log": log})
        meta = await import_checkpoint(runtime.store, data)
        assert not any("not imported" in warning for warning in meta.warnings)
        assert [record["seq"] for record in records(runtime.store, meta)] == [1]
        answered = Attendance(questions=Answers(Go="yes"))
        done = await runtime.resume("theirs", current=bundle_of(agent), attendance=answered)
        assert output_of(done) == ["theirs", "yes"]


@pytest.mark.parametrize(
    "log", [[_record(2, "log", parent_seq=1)], [_record(3, "log", parent_seq=2), _record(2, "tool", parent_seq=1)]]
)
async def test_calls_that_will_be_made_again_are_said_to_be_left_out(tmp_path: Path, log: list[dict[str, Any]]) -> None:
    async with runtime_in(tmp_path) as runtime:
        data = orjson.dumps({"session_id": "theirs", "input": {}, "call_log": log})
        meta = await import_checkpoint(runtime.store, data)
        what = f"{len(log)} calls inside of unfinished tools, sub-agents or branches were not imported"
        assert f"{what}: they are made again" in meta.warnings
