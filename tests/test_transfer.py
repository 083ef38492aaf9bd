"""Runs carried from one store to another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.errors import ChidoriError
from chidori_actors.history import current_status, records
from chidori_actors.host.function import Question
from chidori_actors.journal.lanes import RUN_LANES, new_lane
from chidori_actors.journal.lease import holder
from chidori_actors.journal.runs import get_run, list_runs
from chidori_actors.runtime import Runtime
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
    write_agent,
)

NO_PROVIDER: dict[str, str] = {}
VARIED = """
import { shout } from "./shout";
export async function agent(input, chidori) {
  const [a, b] = await Promise.all([chidori.prompt("one"), chidori.prompt("two")]);
  await chidori.memory("set", "k", { a });
  const failed = await chidori.tryCall(() => chidori.template("{{ missing }}"));
  return {
    text: shout(await chidori.template("hello.txt", { name: input.name })),
    a, b, failed, random: Math.random(), now: Date.now(),
    numbers: [1e-6, 0.000012, 1.5e-7, 1e20, 1e21, 123456789012345680000, -0, 0.1, 2 ** 53, 1e300, -2.5e-6],
  };
}
"""
ASKING = """
export async function agent(input, chidori) {
  const first = await chidori.prompt("first");
  const [answer, second] = await Promise.all([
    chidori.input("Go on?", { choices: ["yes", "no"] }),
    chidori.prompt("second"),
  ]);
  return { first, answer, second, random: Math.random() };
}
"""
PROMPTING = """
export async function agent(input, chidori) {
  const first = await chidori.prompt("first");
  const second = await chidori.prompt("second");
  return [first, second];
}
"""


class Answers:
    """Answers every question alike."""

    async def ask(self, question: Question) -> str:
        return "yes"


@asynccontextmanager
async def other_store(tmp_path: Path) -> AsyncIterator[Runtime]:
    """A runtime on an empty store, in which no prompt can be answered."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with runtime_in(folder, NO_PROVIDER) as runtime:
        yield runtime


async def exported(tmp_path: Path, source: str, value: Any = None) -> tuple[bytes, bytes | None]:
    """The checkpoint of a run of ``source`` and the run's output; the agent's files are gone afterwards."""
    agent = write_agent(tmp_path, source)
    helper, template = tmp_path / "shout.ts", tmp_path / "hello.txt"
    helper.write_text("export const shout = (text: string): string => text.toUpperCase();", encoding="utf-8")
    template.write_text("Hello {{ name }}", encoding="utf-8")
    async with runtime_in(tmp_path) as runtime:
        await start(runtime, agent, value)
        meta = get_run(runtime.store, "test-run")
        data = export_run(runtime.store, meta)
    for file in (agent, helper, template):
        file.unlink()
    return data, meta.output


async def test_an_imported_run_is_replayed_byte_by_byte_without_its_files(tmp_path: Path) -> None:
    data, output = await exported(tmp_path, VARIED, {"name": "Ada"})
    assert output is not None
    async with other_store(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, data)
        assert (meta.id, meta.status, meta.origin_run_id) == ("test-run", "completed", "test-run")
        assert meta.warnings == ()
        assert meta.output == output
        replayed = await runtime.replay(meta.id)
        assert output_of(replayed)["text"] == "HELLO ADA"
        assert replayed.rest == Completed(output)
        again = export_run(runtime.store, get_run(runtime.store, meta.id))
        before, after = orjson.loads(data), orjson.loads(again)
        assert [{**record, "origin_run_id": None} for record in after["call_log"]] == before["call_log"]
        assert after["bundle"] == before["bundle"]
        assert holder(runtime.store, meta.id) is None


async def test_a_paused_run_is_continued_in_another_store_where_it_waited(tmp_path: Path) -> None:
    data, _ = await exported(tmp_path, ASKING)
    async with other_store(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, data)
        assert meta.status == "paused"
        assert [(question["seq"], question["prompt"]) for question in meta.pending] == [(2, "Go on?")]
        observer = RecordingObserver()
        still = await runtime.resume(meta.id, attendance=Attendance(observer))
        assert [question.seq for question in pause_of(still).questions] == [2]
        done = await runtime.resume(meta.id, attendance=Attendance(observer, Answers()))
        assert output_of(done)["answer"] == "yes"
        assert output_of(done)["second"] == "fine"
        live = [function for _, function, _, replayed in observer.of("call_ended") if not replayed]
        assert live == ["input"]


async def test_a_failed_run_stays_failed_and_fails_alike(tmp_path: Path) -> None:
    source = """export async function agent(input, chidori) { await chidori.template("{{ missing }}"); }"""
    data, _ = await exported(tmp_path, source)
    async with other_store(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, data, run_id="copy")
        assert (meta.id, meta.origin_run_id, meta.status, meta.failed_ordinal) == ("copy", "test-run", "failed", 1)
        assert failure_of(await runtime.replay("copy")).error["message"] == (meta.error or {})["message"]


def _foreign(*records: dict[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({"session_id": "theirs", "input": {}, "call_log": list(records), **fields})


def _prompt(seq: int, text: str, result: str) -> dict[str, Any]:
    return {
        "seq": seq,
        "function": "prompt",
        "args": {"text": text, "model": "their-model", "type": None},
        "result": result,
        "duration_ms": 3,
        "timestamp": "2026-01-01T00:00:00Z",
        "token_usage": {"input_tokens": 1, "output_tokens": None},
    }


async def test_a_checkpoint_of_another_implementation_is_continued_with_the_file(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, PROMPTING)
    async with runtime_in(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, _foreign(_prompt(1, "first", "recorded")))
        assert (meta.status, current_status(runtime.store, meta)) == ("running", "interrupted")
        said = "\n".join(meta.warnings)
        for part in ("have no paths", "no random seed and no start time", "has no source", "no usable policy for date"):
            assert part in said
        assert get_run(runtime.store, "theirs").warnings == meta.warnings
        assert records(runtime.store, meta)[0]["token_usage"] == {"input_tokens": 1}
        with pytest.raises(ChidoriError, match="imported without its source"):
            await runtime.replay("theirs")
        done = await runtime.resume("theirs", current=bundle_of(agent))
        assert output_of(done) == ["recorded", "fine"]


async def test_seed_and_start_come_from_the_original_run_when_it_is_in_the_store(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, PROMPTING)
    async with runtime_in(tmp_path) as runtime:
        original = (await start(runtime, agent)).meta
        document = orjson.loads(export_run(runtime.store, original))
        stripped = {name: document[name] for name in ("session_id", "input", "call_log", "bundle")}
        meta = await import_checkpoint(runtime.store, orjson.dumps(stripped), run_id="copy")
        assert (meta.seed, meta.epoch_ms) == (original.seed, original.epoch_ms)
        assert meta.policy == original.policy
        assert meta.warnings == ("it does not say how the run ended: it counts as interrupted",)


async def test_the_manifest_alone_gives_seed_start_and_policy(tmp_path: Path) -> None:
    data, _ = await exported(tmp_path, PROMPTING)
    document = orjson.loads(data)
    policy = document["snapshot_manifest"]["policy"]
    async with other_store(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, orjson.dumps({**document, "run": None}))
    assert (meta.seed, meta.epoch_ms) == (policy["deterministic_seed"], policy["epoch_ms"])
    assert meta.agent == "agent.ts"
    assert meta.warnings == ("it does not say how the run ended: it counts as interrupted",)


async def test_a_taken_id_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    data, _ = await exported(tmp_path, PROMPTING)
    async with other_store(tmp_path) as runtime:
        await import_checkpoint(runtime.store, data)
        lane = await new_lane(runtime.store, "run")
        with pytest.raises(ChidoriError, match="run test-run is in the store already") as caught:
            await import_checkpoint(runtime.store, data)
        assert "--as" in (caught.value.hint or "")
        with pytest.raises(ChidoriError, match="'a/b' is not a run id"):
            await import_checkpoint(runtime.store, data, run_id="a/b")
        assert await new_lane(runtime.store, "run") == lane + RUN_LANES
        assert len(list_runs(runtime.store).runs) == 1


def _with(document: dict[str, Any], path: str, value: Any) -> bytes:
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    return orjson.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("run.status", "done", "`run.status` is not one of"),
        ("run.agent", 3, "`run.agent` is not a string"),
        ("run.created_at_ms", -1, "`run.created_at_ms` is not a whole number, or is out of range"),
        ("run.updated_at_ms", 10**17, "`run.updated_at_ms` is not a whole number, or is out of range"),
        ("run.epoch_ms", True, "`run.epoch_ms` is not a whole number"),
        ("run.policy", [], "`run.policy` is not an object"),
        ("run.warnings", [1], "`run.warnings` is not an array of strings"),
        ("bundle", "{}", "`bundle`: not a source bundle"),
        ("call_log.0.args", [], "`args` of call 1 is not an object"),
        ("call_log.0.settled_at_ms", -5, "the time of call 1 is out of range"),
        ("snapshot_manifest.host_promises", [1], "`snapshot_manifest.host_promises` is not an array of objects"),
        ("snapshot_manifest.host_promises.1.operation.id", "x", "host_promises[1].operation` is not a call"),
        ("snapshot_manifest.host_promises.1.operation.created_at", "x", "created_at` is not a time"),
        ("snapshot_manifest.questions.0.seq", 1, "`snapshot_manifest.questions[0]` is not an open question"),
        ("snapshot_manifest.questions.0.choices", "yes", "questions[0].choices` is not an array of strings"),
    ],
)
async def test_a_field_that_cannot_be_is_named_and_nothing_is_stored(
    tmp_path: Path, path: str, value: Any, text: str
) -> None:
    data, _ = await exported(tmp_path, ASKING)
    async with other_store(tmp_path) as runtime:
        with pytest.raises(ChidoriError) as caught:
            await import_checkpoint(runtime.store, _with(orjson.loads(data), path, value))
        assert "the checkpoint file cannot be used" in str(caught.value)
        assert text in str(caught.value)
        assert list_runs(runtime.store).runs == []


async def test_a_paused_run_whose_questions_are_not_in_the_file_counts_as_interrupted(tmp_path: Path) -> None:
    data, _ = await exported(tmp_path, ASKING)
    async with other_store(tmp_path) as runtime:
        meta = await import_checkpoint(runtime.store, _with(orjson.loads(data), "snapshot_manifest", None))
        assert current_status(runtime.store, meta) == "interrupted"
        still = await runtime.resume(meta.id)
        assert [question.prompt for question in pause_of(still).questions] == ["Go on?"]
