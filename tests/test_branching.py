"""Branches from history: what came before a call is shared, the call answers differently, the rest is lived anew."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.errors import ChidoriError, RunNotFound, StoreError, UsageError
from chidori_actors.history import manifest, records
from chidori_actors.journal.collection import collect
from chidori_actors.journal.lanes import read_lane
from chidori_actors.journal.records import Record
from chidori_actors.journal.runs import get_run, run_writes
from chidori_actors.journal.store import Store
from chidori_actors.journal.writes import DATABASES
from chidori_actors.runtime import RunResult, Runtime
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
    start,
    within,
    write_agent,
)
from tests.support.http_server import LocalServer, serve

HEAD = """
const ask = (chidori: any, url: string) => async (name: string): Promise<string> =>
  (await chidori.http(`${url}/${name}`, { method: "POST" })).body.answer;
"""


@dataclass
class World:
    """A server that answers each request of a path differently; those of a path in ``held`` wait for the event."""

    requests: Counter[str] = field(default_factory=Counter)
    keys: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    arrived: dict[str, asyncio.Event] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.path[1:]
        self.requests[name] += 1
        answer = f"{name}{self.requests[name]}"
        self.keys.setdefault(name, []).append(request.headers["Idempotency-Key"])
        self.arrived.setdefault(name, asyncio.Event()).set()
        if name in self.held:
            await self.held[name].wait()
        if name.startswith("bad") and self.requests[name] == 1:
            return web.json_response({"answer": answer}, status=500)
        return web.json_response({"answer": answer})

    async def until_asked(self, name: str) -> None:
        await within(20, self.arrived.setdefault(name, asyncio.Event()).wait())


@asynccontextmanager
async def world() -> AsyncIterator[tuple[World, LocalServer]]:
    made = World()
    async with serve(made.handle) as server:
        yield made, server


def agent_of(folder: Path, body: str, name: str = "agent.ts") -> Path:
    """An agent whose function has ``body``; ``ask`` is in it."""
    source = f"{HEAD}export async function agent(input: any, chidori: any) {{\nconst post = ask(chidori, input.url);\n"
    return write_agent(folder, f"{source}{body}\n}}\n", name)


async def run(runtime: Runtime, path: Path, server: LocalServer, **more: Any) -> RunResult:
    async with asyncio.timeout(30):
        return await start(runtime, path, {"url": server.url}, **more)


def answer(text: str) -> bytes:
    """What an `http` call gives, as JSON text, with ``text`` as its answer."""
    return orjson.dumps({"status": 200, "headers": {}, "body": {"answer": text}})


def seq_of(runtime: Runtime, name: str, run_id: str = "test-run") -> int:
    """The seq of the request of that path, or of the only call of that function."""
    found = [
        record["seq"]
        for record in records_of(runtime.store, run_id)
        if record["function"] == name or str(record["args"].get("url", "")).endswith(f"/{name}")
    ]
    assert len(found) == 1, found
    return int(found[0])


async def branch(
    runtime: Runtime, at: int, *, result: bytes | None = None, of: str = "test-run", new_id: str = "branch", **more: Any
) -> RunResult:
    async with asyncio.timeout(30):
        return await runtime.branch(of, at, result=result, new_id=new_id, **more)


async def check_replay(runtime: Runtime, world: World, run_id: str = "branch") -> None:
    """The run's replay gives its output and asks nobody."""
    before = world.requests.copy()
    replayed = await within(20, runtime.replay(run_id))
    assert orjson.dumps(output_of(replayed)) == orjson.dumps(orjson.loads(get_run(runtime.store, run_id).output or b""))
    assert world.requests == before


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


def numbers(found: list[Record]) -> list[int]:
    """The seqs, after a look whether the order of the records is that of their ends."""
    indices = [record["index"] for record in found]
    assert indices == sorted(set(indices))
    return sorted(record["seq"] for record in found)


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


# -- actors -----------------------------------------------------------------------------------------------------------

TREE = """
  const [left, right] = await chidori.parallel([
    async () => {
      const one = await post("l1");
      return [one, await chidori.callAgent("child.ts", { url: input.url }), await post("l2")];
    },
    async () => [await post("r1"), await post("r2")],
  ]);
  return [left, right, await post("end")];
"""
CHILD = """
  const one = await post("c1");
  return [one, await chidori.tool("helper", { url: input.url }), await post("c2")];
"""
HELPER = f"""{HEAD}
export const tool = {{ name: "helper", description: "Helps.", parameters: {{ type: "object" }} }};
export async function run(input: any, chidori: any) {{
  const post = ask(chidori, input.url);
  return [await post("t1"), await post("t2")];
}}
"""
DEEP = [["l11", ["c11", ["edited", "t22"], "c22"], "l22"]]


def tree_of(folder: Path, body: str = TREE) -> Path:
    """An agent with branches, a sub-agent in one of them and a tool in that."""
    (folder / "tools").mkdir()
    (folder / "tools" / "helper.ts").write_text(HELPER)
    agent_of(folder, CHILD, "child.ts")
    return agent_of(folder, body)


async def run_tree(runtime: Runtime, made: World, server: LocalServer, path: Path, hold: str, until: str) -> Any:
    """The output of a run in which ``hold`` is answered only when ``until`` has ended (a call's path)."""
    held = made.held[hold] = asyncio.Event()

    def ended(path: str) -> None:
        if path == until:
            held.set()

    return output_of(await run(runtime, path, server, attendance=Attendance(RecordingObserver(when_ended=ended))))


@pytest.fixture(params=["images", "replay"])
def image_every(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Images after every step, or none but those of forks."""
    monkeypatch.setattr(actor_images, "_IMAGE_WORTH", 0)
    return 1 if request.param == "images" else 1000


async def test_a_call_deep_inside_answers_differently_and_finished_branches_stay(
    tmp_path: Path, image_every: int
) -> None:
    async with world() as (made, server), runtime_in(tmp_path, image_every=image_every) as runtime:
        path = tree_of(tmp_path)
        await run_tree(runtime, made, server, path, "l1", "1/b1/2")
        edited = await branch(runtime, seq_of(runtime, "t1"), result=answer("edited"))
        assert output_of(edited) == [*DEEP, ["r11", "r21"], "end2"]
        shared = {"l1": 1, "c1": 1, "t1": 1, "r1": 1, "r2": 1}
        assert made.requests == shared | {"t2": 2, "c2": 2, "l2": 2, "end": 2}
        await check_replay(runtime, made)
        paths = [record["path"] for record in records_of(runtime.store, "branch")]
        assert sorted(paths) == sorted(record["path"] for record in records_of(runtime.store))
        numbers(records_of(runtime.store, "branch"))


async def test_a_branch_under_way_at_the_cut_goes_on_and_makes_its_call_again(tmp_path: Path, image_every: int) -> None:
    async with world() as (made, server), runtime_in(tmp_path, image_every=image_every) as runtime:
        path = tree_of(tmp_path)
        await run_tree(runtime, made, server, path, "r2", "1/b0/2/2/2")
        edited = await branch(runtime, seq_of(runtime, "t1"), result=answer("edited"))
        assert output_of(edited) == [*DEEP, ["r11", "r22"], "end2"]
        assert (made.requests["r1"], made.requests["r2"]) == (1, 2)
        assert made.keys["r2"] == ["test-run:1/b1/2", "branch:1/b1/2"]
        await check_replay(runtime, made)


@pytest.mark.parametrize(
    ("function", "result", "expected"),
    [
        ("tool", b'"no help"', [["l11", ["c11", "no help", "c22"], "l22"], ["r11", "r21"], "end2"]),
        ("call_agent", b'["no child"]', [["l11", ["no child"], "l22"], ["r11", "r21"], "end2"]),
        ("parallel", b'["left", "right"]', ["left", "right", "end2"]),
    ],
)
async def test_a_container_answers_differently_and_nothing_inside_of_it_is_run(
    tmp_path: Path, function: str, result: bytes, expected: Any
) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        path = tree_of(tmp_path)
        await run_tree(runtime, made, server, path, "l1", "1/b1/2")
        seq = seq_of(runtime, function)
        assert output_of(await branch(runtime, seq, result=result)) == expected
        assert (made.requests["t1"], made.requests["t2"], made.requests["c1"]) == (1, 1, 1)
        await check_replay(runtime, made)
        found = records_of(runtime.store, "branch")
        numbers(found)
        assert not [record for record in found if record.get("parent_seq") == seq]


async def test_a_nested_question_is_asked_again_by_the_branch_and_its_run_can_be_resumed(tmp_path: Path) -> None:
    async with world() as (made, server):
        async with runtime_in(tmp_path) as runtime:
            path = tree_of(tmp_path)
            (tmp_path / "tools" / "helper.ts").write_text(
                HELPER.replace('await post("t2")', 'await chidori.input("Sure?")')
            )
            asked = pause_of(await run(runtime, path, server)).questions[0]
            again = pause_of(await branch(runtime, seq_of(runtime, "t1"), result=answer("edited"))).questions[0]
            assert (again.path, again.prompt) == (asked.path, "Sure?")
            other = pause_of(await branch(runtime, seq_of(runtime, "c1"), result=answer("c"), new_id="other"))
            assert other.questions[0].path == asked.path
        async with runtime_in(tmp_path) as runtime:
            resumed = within(20, runtime.resume("branch", attendance=Attendance(questions=Always("yes"))))
            assert output_of(await resumed)[0] == ["l11", ["c11", ["edited", "yes"], "c21"], "l21"]
            assert (made.requests["t1"], made.requests["r2"]) == (2, 1)
            await check_replay(runtime, made)


@dataclass(frozen=True)
class Always:
    """Answers every question alike."""

    text: str

    async def ask(self, question: Any) -> str:
        return self.text


async def test_a_run_that_failed_inside_can_be_branched_before_its_failure(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        path = tree_of(tmp_path)
        (tmp_path / "tools" / "helper.ts").write_text(
            HELPER.replace('[await post("t1"), await post("t2")]', 'input.url + (await chidori.env("MISSING"))')
        )
        failure_of(await run_failing(runtime, made, server, path))
        edited = await branch(runtime, seq_of(runtime, "tool"), result=b'"help"')
        assert output_of(edited) == [["l11", ["c11", "help", "c21"], "l21"], ["r11", "r21"], "end1"]
        again = failure_of(await branch(runtime, seq_of(runtime, "c1"), result=answer("c"), new_id="other"))
        assert "MISSING" in again.error["message"]
        resumed = failure_of(await within(20, runtime.resume("other")))
        assert "MISSING" in resumed.error["message"]
        assert (made.requests["c1"], made.requests["l1"], made.requests["r2"]) == (1, 1, 1)


async def run_failing(runtime: Runtime, made: World, server: LocalServer, path: Path) -> RunResult:
    held = made.held["l1"] = asyncio.Event()
    observer = RecordingObserver(when_ended=lambda ended: held.set() if ended == "1/b1/2" else None)
    return await run(runtime, path, server, attendance=Attendance(observer))


async def test_a_resumed_failure_inside_is_shared_as_it_counts(tmp_path: Path) -> None:
    async with world() as (made, server):
        path = tree_of(tmp_path)
        (tmp_path / "tools" / "helper.ts").write_text(
            HELPER.replace('await post("t2")', 'typeof (await chidori.env("LATER")), await post("t2")')
        )
        async with runtime_in(tmp_path) as runtime:
            failure_of(await run_failing(runtime, made, server, path))
        async with runtime_in(tmp_path, {**LOCAL, "LATER": "now"}) as runtime:
            output_of(await within(20, runtime.resume("test-run")))
            edited = await branch(runtime, seq_of(runtime, "c2"), result=answer("edited"))
            left = ["l11", ["c11", ["t11", "string", "t21"], "edited"], "l22"]
            assert output_of(edited) == [left, ["r11", "r21"], "end2"]
            assert (made.requests["t1"], made.requests["t2"], made.requests["l2"]) == (1, 1, 2)
            await check_replay(runtime, made)


async def test_what_a_parent_passes_on_reaches_the_branches_of_a_branch(tmp_path: Path, image_every: int) -> None:
    body = """
      const shared = chidori.http(`${input.url}/shared`, { method: "POST" });
      const all = await chidori.parallel([
        async () => [await post("l1"), (await shared).body.answer],
        async () => [await post("r1"), (await shared).body.answer, await post("r2")],
      ]);
      return [...all, (await shared).body.answer];
    """
    async with world() as (made, server), runtime_in(tmp_path, image_every=image_every) as runtime:
        output = await run_tree(runtime, made, server, agent_of(tmp_path, body), "shared", "2/b1/1")
        assert output == [["l11", "shared1"], ["r11", "shared1", "r21"], "shared1"]
        edited = await branch(runtime, seq_of(runtime, "shared"), result=answer("edited"))
        assert output_of(edited) == [["l11", "edited"], ["r11", "edited", "r22"], "edited"]
        other = await branch(runtime, seq_of(runtime, "r2"), result=answer("last"), new_id="other")
        assert output_of(other) == [["l11", "shared1"], ["r11", "shared1", "last"], "shared1"]
        assert (made.requests["l1"], made.requests["r1"]) == (1, 1)
        for run_id in ("branch", "other"):
            await check_replay(runtime, made, run_id)


# -- branches of branches ---------------------------------------------------------------------------------------------


async def test_a_branch_of_a_branch_shares_with_both(tmp_path: Path, image_every: int) -> None:
    async with world() as (made, server), runtime_in(tmp_path, image_every=image_every) as runtime:
        path = tree_of(tmp_path)
        await run_tree(runtime, made, server, path, "l1", "1/b1/2")
        await branch(runtime, seq_of(runtime, "t1"), result=answer("edited"), new_id="second")
        third = await branch(runtime, seq_of(runtime, "c2", "second"), result=answer("third"), of="second")
        assert output_of(third) == [["l11", ["c11", ["edited", "t22"], "third"], "l23"], ["r11", "r21"], "end3"]
        assert (made.requests["t1"], made.requests["t2"], made.requests["c2"]) == (1, 2, 2)
        await check_replay(runtime, made)
        found = {record["path"]: record["origin_run_id"] for record in records_of(runtime.store, "branch")}
        assert found["1/b0/2/1"] == "test-run"
        assert found["1/b0/2/2/1"] == found["1/b0/2/2"] == "second"
        assert found["1/b0/2/3"] is found["2"] is None
        numbers(records_of(runtime.store, "branch"))


async def test_what_only_the_first_run_knows_can_be_edited_by_way_of_its_branch(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        path = tree_of(tmp_path)
        await run_tree(runtime, made, server, path, "l1", "1/b1/2")
        await branch(runtime, seq_of(runtime, "end"), result=answer("over"), new_id="second")
        deep = await branch(runtime, seq_of(runtime, "t1", "second"), result=answer("edited"), of="second")
        assert output_of(deep) == [*DEEP, ["r11", "r21"], "end2"]
        assert deep.meta.branch is not None
        assert deep.meta.branch["parent_run_id"] == "test-run", "the call is of the first run"
        again = await branch(runtime, seq_of(runtime, "end"), result=answer("anew"), of="second", new_id="again")
        assert output_of(again)[2] == "anew"
        for run_id in ("branch", "again"):
            await check_replay(runtime, made, run_id)
            numbers(records_of(runtime.store, run_id))


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


async def test_a_parent_that_is_dropped_meanwhile_leaves_no_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as (_, server), runtime_in(tmp_path) as runtime:
        await run(runtime, agent_of(tmp_path, SEQUENCE), server)
        later_ms = get_run(runtime.store, "test-run").updated_at_ms + 10
        commit = Store.commit

        async def after_a_collection(store: Store, writes: Any, **how: Any) -> None:
            if any(write.key == b"branch" for write in writes):
                monkeypatch.setattr(Store, "commit", commit)
                assert (await collect(store, older_than_ms=0, now_ms=later_ms)).runs == 1
            await commit(store, writes, **how)

        monkeypatch.setattr(Store, "commit", after_a_collection)
        with pytest.raises(StoreError, match="no run test-run"):
            await branch(runtime, 2, result=answer("edited"))
        with pytest.raises(RunNotFound):
            get_run(runtime.store, "branch")
