"""Branches from history at calls inside of actors, and branches of branches."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session import actor_images
from chidori_actors.session.attendance import Attendance
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    within,
)
from tests.support.branches import (
    HEAD,
    Always,
    World,
    agent_of,
    answer,
    branch,
    check_replay,
    numbers,
    run,
    seq_of,
    world,
)
from tests.support.http_server import LocalServer

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


async def run_held(
    runtime: Runtime, made: World, server: LocalServer, path: Path, hold: str = "l1", *until: str
) -> RunResult:
    """A run in which the request ``hold`` is answered only when the calls with the paths ``until`` have ended."""
    held = made.held[hold] = asyncio.Event()
    awaited = set(until or ["1/b1/2"])

    def when_ended(path: str) -> None:
        awaited.discard(path)
        if not awaited:
            held.set()

    observer = RecordingObserver(when_ended=when_ended)
    return await run(runtime, path, server, attendance=Attendance(observer))


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
        output_of(await run_held(runtime, made, server, path))
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
        output_of(await run_held(runtime, made, server, path, "r2", "1/b0/2/2/2"))
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
        output_of(await run_held(runtime, made, server, path))
        seq = seq_of(runtime, function)
        assert output_of(await branch(runtime, seq, result=result)) == expected
        assert (made.requests["t1"], made.requests["t2"], made.requests["c1"]) == (1, 1, 1)
        await check_replay(runtime, made)
        found = records_of(runtime.store, "branch")
        numbers(found)
        assert not [record for record in found if record.get("parent_seq") == seq]


@pytest.mark.parametrize("function", ["tool", "call_agent", "parallel"])
async def test_what_a_replaced_container_held_is_not_counted_in_the_branch(tmp_path: Path, function: str) -> None:
    body = TREE.replace('await post("end")', 'await chidori.input("Done?")')
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        pause_of(await run_held(runtime, made, server, tree_of(tmp_path, body)))
        seq = seq_of(runtime, function)
        pause_of(await branch(runtime, seq, result=b'["left", "right"]'))
        meta = get_run(runtime.store, "branch")
        assert meta.calls == len(records_of(runtime.store, "branch"))
        shared = [record for record in records_of(runtime.store, "branch") if record.get("origin_run_id")]
        assert meta.replayed_calls == len(shared) + 1, "the container itself is its own"
        output_of(await within(20, runtime.resume("branch", attendance=Attendance(questions=Always("yes")))))
        assert get_run(runtime.store, "branch").calls == len(records_of(runtime.store, "branch"))


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


async def test_a_run_that_failed_inside_can_be_branched_before_its_failure(tmp_path: Path) -> None:
    async with world() as (made, server), runtime_in(tmp_path) as runtime:
        path = tree_of(tmp_path)
        (tmp_path / "tools" / "helper.ts").write_text(
            HELPER.replace('[await post("t1"), await post("t2")]', 'input.url + (await chidori.env("MISSING"))')
        )
        failure_of(await run_held(runtime, made, server, path))
        edited = await branch(runtime, seq_of(runtime, "tool"), result=b'"help"')
        assert output_of(edited) == [["l11", ["c11", "help", "c21"], "l21"], ["r11", "r21"], "end1"]
        again = failure_of(await branch(runtime, seq_of(runtime, "c1"), result=answer("c"), new_id="other"))
        assert "MISSING" in again.error["message"]
        resumed = failure_of(await within(20, runtime.resume("other")))
        assert "MISSING" in resumed.error["message"]
        assert (made.requests["c1"], made.requests["l1"], made.requests["r2"]) == (1, 1, 1)


async def test_a_resumed_failure_inside_is_shared_as_it_counts(tmp_path: Path) -> None:
    async with world() as (made, server):
        path = tree_of(tmp_path)
        (tmp_path / "tools" / "helper.ts").write_text(
            HELPER.replace('await post("t2")', 'typeof (await chidori.env("LATER")), await post("t2")')
        )
        async with runtime_in(tmp_path) as runtime:
            failure_of(await run_held(runtime, made, server, path))
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
        ran = await run_held(runtime, made, server, agent_of(tmp_path, body), "shared", "2/b0/1", "2/b1/1")
        assert output_of(ran) == [["l11", "shared1"], ["r11", "shared1", "r21"], "shared1"]
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
        output_of(await run_held(runtime, made, server, path))
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
        output_of(await run_held(runtime, made, server, path))
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
