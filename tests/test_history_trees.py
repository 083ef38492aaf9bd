"""What counts of a run with several actors: after retries, and in branches from its history."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.errors import RunNotFound
from chidori_actors.history import manifest, records, snapshot
from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.records import Record
from chidori_actors.journal.runs import get_run, run_writes
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.totals import run_totals
from chidori_actors.transfer import export_run, import_checkpoint
from tests.support.agents import calls_of, failure_of, output_of, pause_of, records_of, runtime_in, start, within
from tests.support.nested_agent import SECONDS, Answers, other_store, world, write_tree

BOTH = Attendance(questions=Answers(tool="yes", third="no"))


def paths_of(found: list[Record]) -> list[str]:
    return [record["path"] for record in found]


async def test_records_of_all_actors_are_in_the_order_in_which_they_settled(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime:
        agent = write_tree(tmp_path)
        done = await within(SECONDS, start(runtime, agent, {"url": served.url}, attendance=BOTH))
        found = records(runtime.store, done.meta)
        assert [record["index"] for record in found] == sorted(record["index"] for record in found)
        assert sorted(record["seq"] for record in found) == list(range(1, len(found) + 1))
        for record in found:
            assert record["path"].rpartition("/")[0] == record["actor"]
            assert ("parent_seq" in record) == (record["actor"] != "")
            if "parent_seq" in record:
                container = re.sub("/b[0-9]+$", "", record["actor"])
                parent = next(each for each in found if each["path"] == container)
                assert parent["seq"] == record["parent_seq"]
                assert parent["index"] > record["index"]


RETRYING = """
export async function agent(input, chidori) {
  const get = async (path) => (await chidori.http(input.url + path)).body.answer;
  try {
    return [await get("/first"), await chidori.template("late.txt"), await get("/last")];
  } catch (error) {
    await chidori.callAgent("./child.ts", { url: input.url });
    throw error;
  }
}
"""
SMALL_CHILD = """
export async function agent(input, chidori) { return (await chidori.http(input.url + "/child")).body.answer; }
"""


async def test_what_a_retry_took_back_is_not_shown_and_was_paid_for(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime:
        agent = write_tree(tmp_path, RETRYING)
        (tmp_path / "child.ts").write_text(SMALL_CHILD, encoding="utf-8")
        failed = await within(SECONDS, start(runtime, agent, {"url": served.url}))
        assert failure_of(failed).call == 2
        assert paths_of(records(runtime.store, failed.meta)) == ["1", "2", "3/1", "3"]
        (tmp_path / "late.txt").write_text("late", encoding="utf-8")
        done = await within(SECONDS, runtime.resume("test-run"))
        assert output_of(done) == ["/first#1", "late", "/last#1"]
        assert paths_of(records(runtime.store, done.meta)) == ["1", "2", "3"]
        assert [call.function for call in calls_of(runtime.store)] == ["http", "template", "http"]
        assert [meta.path for meta in run_actors(runtime.store, done.meta.lane)] == ["3"]
        assert run_totals(runtime.store, done.meta).calls == {"http": 3, "template": 1, "call_agent": 1}
        found = manifest(runtime.store, done.meta)
        assert (found["call_log_len"], [each["operation"]["id"] for each in found["host_promises"]]) == (
            3,
            ["1", "2", "3"],
        )


async def branch_at(runtime: Runtime, run_id: str, path: str, result: bytes, new_id: str) -> Any:
    """The output of a branch of the run in which the call at ``path`` answers with ``result``."""
    seq = next(record["seq"] for record in records_of(runtime.store, run_id) if record["path"] == path)
    branch = await within(SECONDS, runtime.branch(run_id, seq, result=result, new_id=new_id, attendance=BOTH))
    return output_of(branch)


BRANCHED = """
export async function agent(input, chidori) {
  const get = async (path) => (await chidori.http(input.url + path)).body.answer;
  const child = await chidori.callAgent("./child.ts", { url: input.url });
  const two = await chidori.parallel([async () => [await get("/a"), await chidori.input("tool?")], () => get("/b")]);
  return [child, two, await get("/after"), await get("/last")];
}
"""


async def test_a_branch_from_history_has_its_parents_records_and_says_whose_they_are(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime:
        agent = write_tree(tmp_path, BRANCHED)
        (tmp_path / "child.ts").write_text(SMALL_CHILD, encoding="utf-8")
        done = await within(SECONDS, start(runtime, agent, {"url": served.url}, attendance=BOTH))
        edited = b'{"status": 200, "headers": {}, "body": {"answer": "edited"}}'
        first = await branch_at(runtime, "test-run", "3", edited, "first")
        assert first == ["/child#1", [["/a#1", "yes"], "/b#1"], "edited", "/last#2"]
        second = await branch_at(runtime, "first", "4", edited, "second")
        assert second == ["/child#1", [["/a#1", "yes"], "/b#1"], "edited", "edited"]
        whole = paths_of(records(runtime.store, done.meta))
        for run_id, origins in (
            ("first", {"3": None, "4": None}),
            ("second", {"3": "first", "4": None}),
        ):
            found = records_of(runtime.store, run_id)
            assert paths_of(found) == whole
            of = {record["path"]: record["origin_run_id"] for record in found}
            assert of == dict.fromkeys(whole, "test-run") | origins
            assert run_actors(runtime.store, get_run(runtime.store, run_id).lane) == []
        assert run_totals(runtime.store, get_run(runtime.store, "first")).calls == {"http": 1}
        assert run_totals(runtime.store, get_run(runtime.store, "second")).calls == {}


async def test_a_branch_inside_of_a_fork_shows_what_was_shared_and_what_it_did(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime, other_store(tmp_path) as other:
        agent = write_tree(tmp_path, BRANCHED)
        (tmp_path / "child.ts").write_text(SMALL_CHILD, encoding="utf-8")
        done = await within(SECONDS, start(runtime, agent, {"url": served.url}, attendance=BOTH))
        output = await branch_at(runtime, "test-run", "2/b0/2", b'"edited"', "branch")
        assert output[1][0] == ["/a#1", "edited"]
        found = records_of(runtime.store, "branch")
        assert sorted(paths_of(found)) == sorted(paths_of(records(runtime.store, done.meta)))
        of = {record["path"]: record["origin_run_id"] for record in found}
        assert (of["1/1"], of["1"], of["2/b0/1"]) == ("test-run",) * 3
        assert (of["2/b0/2"], of["2"], of["3"]) == (None,) * 3
        # Its file has everything, and needs no other run.
        data = export_run(runtime.store, get_run(runtime.store, "branch"))
        meta = await import_checkpoint(other.store, data)
        assert paths_of(records(other.store, meta)) == paths_of(found)
        assert output_of(await other.replay(meta.id)) == output


async def test_a_snapshot_names_the_images_of_every_actor_and_fork(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime:
        agent = write_tree(tmp_path)
        paused = await within(SECONDS, start(runtime, agent, {"url": served.url}))
        assert len(pause_of(paused).questions) == 2
        found = snapshot(runtime.store, paused.meta)
        newest = {image["path"]: image for image in found["images"]}
        assert set(newest) >= {"", "3/b1", "3/b1/1", "3/b1/1/2", "3/b2", "3/b2/2/b0"}
        lanes = {"": paused.meta.lane} | {
            actor.path: actor.lane for actor in run_actors(runtime.store, paused.meta.lane)
        }
        assert all(image["bytes"] > 1000 and image["lane"] == lanes[image["path"]] for image in found["images"])
        assert found["snapshot_file"] == f"images/{paused.meta.lane}/{newest['']['after']}"
        assert [(fork["path"], fork["bytes"] > 1000) for fork in found["forks"]] == [("3", True), ("3/b2/2", True)]
        assert found["pending"]["id"] == paused.meta.pending[0]["path"]
        assert {question["path"] for question in found["questions"]} == {"3/b1/1/2/2", "3/b2/2/b0/2"}
        states = {each["operation"]["id"]: each["state"] for each in found["host_promises"]}
        waiting = {path for path, state in states.items() if state == "pending"}
        assert waiting == {"3", "3/b1/1", "3/b1/1/2", "3/b1/1/2/2", "3/b2/2", "3/b2/2/b0/2"}
        assert found["call_log_len"] == len(records(runtime.store, paused.meta))
        done = await within(SECONDS, runtime.resume("test-run", attendance=BOTH))
        assert snapshot(runtime.store, done.meta)["forks"] == []


async def test_a_branch_whose_parent_is_gone_says_so(tmp_path: Path) -> None:
    async with world() as served, runtime_in(tmp_path) as runtime:
        agent = write_tree(tmp_path, BRANCHED)
        done = await within(SECONDS, start(runtime, agent, {"url": served.url}, attendance=BOTH))
        orphan = replace(done.meta, branch={"parent_run_id": "gone-run", "at_seq": 1, "at_index": 1})
        await runtime.store.commit(run_writes(orphan, new=False))
        with pytest.raises(RunNotFound, match="no run gone-run"):
            records(runtime.store, orphan)


RETHROWING = """
export async function agent(input, chidori) {
  let failure = null;
  const child = await chidori.callAgent("./child.ts", { url: input.url }).catch((error) => { failure = error; });
  const after = (await chidori.http(input.url + "/after")).body.answer;
  if (failure !== null) throw failure;
  return [child, after];
}
"""
PROMPTING_CHILD = (
    "export async function agent(input, chidori) { return await chidori.prompt('x', { model: 'gpt-4o' }); }"
)
NO_PROVIDER = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}


async def test_what_a_branch_shares_stays_although_its_parent_was_retried_since(tmp_path: Path) -> None:
    edited = b'{"status": 200, "headers": {}, "body": {"answer": "edited"}}'
    agent = write_tree(tmp_path, RETHROWING)
    (tmp_path / "child.ts").write_text(PROMPTING_CHILD, encoding="utf-8")
    async with world() as served:
        async with runtime_in(tmp_path, NO_PROVIDER) as runtime:
            failed = await within(SECONDS, start(runtime, agent, {"url": served.url}))
            seq = next(record["seq"] for record in records(runtime.store, failed.meta) if record["path"] == "2")
            failure_of(await within(SECONDS, runtime.branch("test-run", seq, result=edited, new_id="branch")))
            before = records_of(runtime.store, "branch")
            failures = [(record["path"], "error" in record) for record in before]
            assert failures == [("1/1", True), ("1", True), ("2", False)]
        async with runtime_in(tmp_path) as runtime:
            assert output_of(await within(SECONDS, runtime.resume("test-run"))) == ["fine", "/after#2"]
            assert ["error" in record for record in records_of(runtime.store)] == [False, False, False]
            assert records_of(runtime.store, "branch") == before
