"""How a stored run stands: whether anybody runs it, its records, its manifest."""

from dataclasses import replace
from pathlib import Path

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.history import current_status, is_running, manifest, records, stored_bundle
from chidori_actors.journal.blobs import blob_write
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.runs import get_run, run_writes
from tests.support.agents import output_of, pause_of, runtime_in, start, write_agent

ASKING = """
export async function agent(input, chidori) {
  await chidori.log("before");
  return await chidori.input("Go on?", { choices: ["yes", "no"] });
}
"""
LOGGING = """
export async function agent(input, chidori) {
  await Promise.all([chidori.log("a"), chidori.prompt("b")]);
  return 1;
}
"""


async def test_a_run_without_a_live_owner_is_interrupted(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, LOGGING)
    async with runtime_in(tmp_path) as runtime:
        store = runtime.store
        done = (await start(runtime, agent)).meta
        assert current_status(store, done) == "completed"
        cut_off = replace(done, status="running", output=None)
        await store.commit(run_writes(cut_off, new=False))
        assert current_status(store, cut_off) == "interrupted"
        lease = await Lease.acquire(store, done.id, "a test")
        assert (is_running(store, done.id), current_status(store, cut_off)) == (True, "running")
        lease.release()
        assert (is_running(store, done.id), current_status(store, cut_off)) == (False, "interrupted")


async def test_a_run_that_ended_since_its_description_was_read_is_not_interrupted(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        done = (await start(runtime, write_agent(tmp_path, LOGGING))).meta
        assert current_status(runtime.store, replace(done, status="running")) == "completed"


async def test_records_are_those_of_the_calls_that_ended(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, write_agent(tmp_path, ASKING)))
        meta = get_run(runtime.store, "test-run")
        assert [(record["seq"], record["function"]) for record in records(runtime.store, meta)] == [(1, "log")]


async def test_the_manifest_of_a_paused_run_names_its_image_and_its_questions(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        await start(runtime, write_agent(tmp_path, ASKING))
        meta = get_run(runtime.store, "test-run")
        found = manifest(runtime.store, meta)
    assert found["snapshot_kind"] == "image"
    assert found["snapshot_file"] == f"images/{meta.lane}/1"
    assert len(found["engine_build"]) == len(found["golden_image"]) == 64
    assert found["prelude_version"] == 2
    assert found["entry"]["path"] == "agent.ts"
    assert found["pending"]["args"] == {"prompt": "Go on?", "type": None, "choices": ["yes", "no"], "default": None}
    assert found["pending"]["kind"] == "input"
    assert [question["prompt"] for question in found["questions"]] == ["Go on?"]
    assert found["call_log_len"] == 1


async def test_the_manifest_of_an_ended_run_needs_no_image(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, write_agent(tmp_path, LOGGING))
        assert output_of(result) == 1
        found = manifest(runtime.store, result.meta)
        assert (found["snapshot_kind"], found["snapshot_file"], found["engine_build"]) == ("replay", None, None)
        assert (found["call_log_len"], found["pending"], found["questions"]) == (2, None, [])
        without = manifest(runtime.store, replace(result.meta, bundle=None, agent="b.ts"))
        assert (without["entry"], without["modules"]) == ({"path": "b.ts", "hash": None}, [])


async def test_a_source_that_is_none_is_named(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, write_agent(tmp_path, LOGGING))
        digest, write = blob_write(b'{"entry": 1}')
        await runtime.store.commit([write])
        with pytest.raises(StoreError, match="the source bundle of run test-run cannot be read"):
            stored_bundle(runtime.store, replace(result.meta, bundle=digest))
