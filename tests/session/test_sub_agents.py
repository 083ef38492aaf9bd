"""``chidori.callAgent``: other agents as actors of the same run."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.errors import ChidoriError
from chidori_actors.journal.actors import ActorMeta
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
from tests.support.openai_server import OpenAIServer
from tests.support.services import ScriptedQuestions

RUN = "test-run"


def agent(body: str, before: str = "") -> str:
    return f"{before}export async function agent(input: any, chidori: any) {{\n{body}\n}}"


def project(folder: Path, **sources: str) -> Path:
    """A project with an agent in each file; its main agent is ``main``."""
    for name, source in sources.items():
        file = folder / f"{name.replace('__', '/')}.ts"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return write_agent(folder, sources["main"], "main.ts")


def shown(record: dict[str, Any]) -> tuple[Any, ...]:
    return record["path"], record["function"], record.get("error")


async def test_a_sub_agent_gets_its_input_and_gives_its_output(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        main=agent('await chidori.log("a"); return [await chidori.callAgent("child.ts", { n: 2 }), Math.random()];'),
        child=agent('await chidori.log("b"); return { twice: input.n * 2, random: Math.random() };'),
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        child, mine = output_of(result)
        assert child["twice"] == 4
        assert child["random"] != mine
        records = records_of(runtime.store)
        assert [record["path"] for record in records] == ["1", "2/1", "2"]
        inner, outer = records[1:]
        assert (inner["parent_seq"], inner["actor"]) == (outer["seq"], "2")
        assert outer["args"] == {"path": "child.ts", "input": {"n": 2}}
        assert outer["result"] == child
        assert "parent_seq" not in outer
        assert output_of(await runtime.replay(RUN)) == output_of(result)


@pytest.mark.parametrize(("given", "got"), [("", {}), (", null", None), (", [1]", [1]), (', "text"', "text")])
async def test_any_json_may_be_the_input(tmp_path: Path, given: str, got: Any) -> None:
    path = project(
        tmp_path, main=agent(f'return chidori.callAgent("child.ts"{given});'), child=agent("return [input];")
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) == [got]


async def test_a_path_is_taken_from_the_calling_file_first_then_from_the_served_agents_folder(tmp_path: Path) -> None:
    helper = "export const call = (chidori: any, path: string) => chidori.callAgent(path);"
    who = {name: agent(f'return "{name}";') for name in ("same", "lib__same", "other", "lib__own")}
    path = project(
        tmp_path,
        main=agent(
            """return [await call(chidori, "same.ts"), await call(chidori, "other.ts"), await call(chidori, "own.ts"),
              await call(chidori, "../same.ts"), await chidori.callAgent("same.ts"),
              await chidori.callAgent("lib/deep.ts"),
              await chidori.parallel([() => call(chidori, "same.ts"), () => chidori.callAgent("same.ts")])];""",
            'import { call } from "./lib/help.ts";\n',
        ),
        lib__help=helper,
        lib__deep=agent('return [await chidori.callAgent("own.ts"), await chidori.callAgent("other.ts")];'),
        **who,
    )
    async with runtime_in(tmp_path) as runtime:
        result = output_of(await start(runtime, path))
        assert result[:5] == ["lib__same", "other", "lib__own", "same", "same"]
        assert result[5] == ["lib__own", "other"]
        assert result[6] == ["lib__same", "same"]


@pytest.mark.parametrize("path", ["../outside.ts", "linked.ts", "linked/outside.ts"])
async def test_nothing_outside_of_the_project_is_run(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside.ts").write_text(agent("return 'out';"))
    (inside / "linked.ts").symlink_to(tmp_path / "outside.ts")
    (inside / "linked").symlink_to(tmp_path)
    main = project(inside, main=agent(f'return chidori.callAgent("{path}");'))
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await start(runtime, main)).error
        assert error["message"] == f"the agent {path} lies outside of the project"
        assert error["location"] == "main.ts:2:8"


async def test_a_sub_agent_imports_from_the_whole_project_of_its_caller(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('return chidori.callAgent("sub/child.ts");'),
        sub__child=agent('return [x, await chidori.callAgent("deep/child.ts")];', 'import { x } from "../shared";\n'),
        sub__deep__child=agent("return x + 1;", 'import { x } from "../../shared";\n'),
        shared="export const x = 1;\n",
    )
    (tmp_path / "chidori.json").unlink()  # without a mark an agent's own folder is the root
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, main)) == [1, 2]


async def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    main = project(tmp_path, main=agent('return chidori.callAgent("link.ts");'), real__child=agent("return 'in';"))
    (tmp_path / "link.ts").symlink_to(tmp_path / "real" / "child.ts")
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, main)) == "in"


async def test_an_unknown_agent_is_an_error_with_where_it_was_looked_for(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent("return call(chidori);", 'import { call } from "./lib/help.ts";\n'),
        lib__help='export const call = (chidori: any) => chidori.callAgent("absent.ts");',
    )
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await start(runtime, main)).error
        assert error["message"].startswith("there is no agent absent.ts (looked in lib/ and ")
        assert str(tmp_path) not in error["message"]
        assert error["location"].startswith("lib/help.ts:1:")


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("export async function agent( {", "child.ts:1:"),
        ("export const other = 1;", "agent"),
        (agent("return 1;", 'import "./absent.ts";\n'), "absent.ts"),
        (agent("return 1;", 'import "node:fs";\n'), "node:fs"),
    ],
)
async def test_a_broken_sub_agent_is_an_error_of_the_call_with_its_place(
    tmp_path: Path, child: str, words: str
) -> None:
    main = project(
        tmp_path,
        main=agent('try { await chidori.callAgent("child.ts"); } catch (error) { return error.message; }'),
        child=child,
    )
    async with runtime_in(tmp_path) as runtime:
        message = output_of(await start(runtime, main))
        assert words in message
        assert "Traceback" not in message
        assert output_of(await runtime.replay(RUN)) == message


async def test_an_error_inside_has_the_place_in_the_sub_agents_own_file(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('await chidori.log("a");\nreturn await chidori.callAgent("lib/child.ts");'),
        lib__child=agent(
            'await chidori.log("b");\n  return fail(input);',
            'const fail = (x: any) => {\n  throw new RangeError("too much");\n};\n',
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, main)
        error = failure_of(result).error
        assert (error["message"], error["name"]) == ("too much", "RangeError")
        assert error["location"] == "lib/child.ts:2:13"
        assert error["source_line"] == 'throw new RangeError("too much");'
        stack = error["stack"]
        assert stack.index("lib/child.ts:2:") < stack.index("lib/child.ts:6:") < stack.index("main.ts:3:")
        assert failure_of(await runtime.replay(RUN)).error == error
        with pytest.raises(ChidoriError, match="would fail again"):
            await runtime.resume(RUN)


async def test_templates_are_taken_from_beside_the_sub_agent(tmp_path: Path) -> None:
    template = 'return (await chidori.template("t.jinja", { who: "x" }));'
    main = project(
        tmp_path,
        main=agent(
            f'const child = await chidori.callAgent("lib/child.ts"); const mine = await (async () => '
            f"{{ {template} }})(); return [child, mine];"
        ),
        lib__child=agent(template),
    )
    (tmp_path / "t.jinja").write_text("main {{ who }}")
    (tmp_path / "lib" / "t.jinja").write_text("child {{ who }}")
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, main)) == ["child x", "main x"]


async def test_recursion_ends_at_the_bound_and_names_the_chain(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('return await chidori.callAgent("main.ts", { depth: (input.depth ?? 0) + 1 });'),
    )
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await within(60, start(runtime, main))).error
        assert error["message"].startswith("call_agent: more than 32 actors deep: main.ts > main.ts > ")
        assert error["message"].count("main.ts") == 32
        assert error["name"] == "RecursionError"
        assert error["own_code"], "no call that could be made again has failed"


async def test_branches_count_as_levels_too(tmp_path: Path) -> None:
    main = project(tmp_path, main=agent('return (await chidori.parallel([() => chidori.callAgent("main.ts")]))[0];'))
    async with runtime_in(tmp_path) as runtime:
        message = failure_of(await within(60, start(runtime, main))).error["message"]
        assert "more than 32 actors deep: main.ts > parallel[0] > main.ts > parallel[0] > " in message


async def test_a_deep_recursion_that_ends_below_the_bound_is_fine(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent(
            """const n = input.n ?? 31; await chidori.log(`${n}`);
            return n === 1 ? 1 : 1 + await chidori.callAgent("main.ts", { n: n - 1 });"""
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        result = await within(60, start(runtime, main))
        assert output_of(result) == 31
        assert output_of(await runtime.replay(RUN)) == 31


async def test_sub_agents_branches_and_sub_agents_in_one_another(tmp_path: Path) -> None:
    child = """const all = await chidori.parallel([1, 2].map((n) => async () =>
      [await chidori.callAgent("leaf.ts", { name: `${input.name}${n}` }), Math.random()]));
    return all;"""
    main = project(
        tmp_path,
        main=agent(
            """return chidori.parallel(["a", "b"].map((name) => () =>
              chidori.callAgent("child.ts", { ...input, name })));"""
        ).replace("{ ...input, name }", "{ name, url: input.url }"),
        child=agent(child.replace("{ name:", "{ url: input.url, name:")),
        leaf=agent(
            """const sent = await chidori.http(input.url, { method: "POST", body: input.name });
            return [input.name, sent.body.count, Math.random()];"""
        ),
    )
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await within(30, start(runtime, main, {"url": f"{server.root}/count"}))
        output = output_of(result)
        leaves = [leaf for pair in output for leaf, _ in pair]
        assert [leaf[:2] for leaf in leaves] == [["a1", 1], ["a2", 1], ["b1", 1], ["b2", 1]]
        assert len({leaf[2] for leaf in leaves} | {random for pair in output for _, random in pair}) == 8
        paths = {record["path"] for record in records_of(runtime.store) if record["function"] == "http"}
        assert paths == {f"1/b{i}/1/1/b{j}/1/1" for i in (0, 1) for j in (0, 1)}
        assert output_of(await runtime.replay(RUN)) == output
        assert server.counted_bodies.total() == 4


# -- policy ----


def policed(*rules: dict[str, Any]) -> dict[str, str]:
    return {**LOCAL, "CHIDORI_POLICY": orjson.dumps({"rules": list(rules), "default": "always_allow"}).decode()}


async def test_a_policy_forbids_sub_agents_and_holds_inside_of_them(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent(
            """const denied = await chidori.tryCall(() => chidori.callAgent("bad.ts"));
            return [denied, await chidori.callAgent("child.ts")];"""
        ),
        bad=agent("return 1;"),
        child=agent('return (await chidori.tryCall(() => chidori.http("http://127.0.0.1:1/"))).error;'),
    )
    rules = (
        {"target": "call_agent", "decision": "never_allow", "match_args": {"path": "bad.ts"}, "reason": "no good"},
        {"target": "http", "decision": "never_allow"},
    )
    async with runtime_in(tmp_path, policed(*rules)) as runtime:
        denied, inside = output_of(await start(runtime, main))
        assert denied == {"ok": False, "error": "policy: `call_agent` denied (no good)"}
        assert inside.startswith("policy: `http` denied")
        assert [shown(record)[:2] for record in records_of(runtime.store)] == [
            ("1", "call_agent"),
            ("2/1", "http"),
            ("2", "call_agent"),
        ]


async def test_a_sub_agent_that_needs_approval_waits_and_one_answer_starts_it(tmp_path: Path) -> None:
    main = project(
        tmp_path, main=agent('return chidori.callAgent("child.ts", { n: 1 });'), child=agent("return input.n;")
    )
    rules = ({"target": "call_agent", "decision": "ask_before", "reason": "costly"},)
    async with runtime_in(tmp_path, policed(*rules)) as runtime:
        paused = pause_of(await start(runtime, main))
        assert (paused.status, paused.questions[0].kind) == ("awaitingapproval", "approval")
        assert paused.questions[0].args == {"path": "child.ts", "input": {"n": 1}}
    async with runtime_in(tmp_path, policed(*rules)) as runtime:
        allowed = Attendance(questions=ScriptedQuestions(["yes"]))
        assert output_of(await runtime.resume(RUN, attendance=allowed)) == 1


async def test_a_denied_approval_inside_is_an_error_of_the_inner_call(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('return chidori.callAgent("child.ts");'),
        child=agent('return (await chidori.tryCall(() => chidori.memory("set", "k", 1))).error;'),
    )
    async with runtime_in(
        tmp_path, policed({"target": "memory", "decision": "ask_before", "reason": "shared"})
    ) as runtime:
        assert pause_of(await start(runtime, main)).questions[0].path == "1/1"
        answer = Attendance(questions=ScriptedQuestions(["no"]))
        assert (
            output_of(await runtime.resume(RUN, attendance=answer)) == "policy: `memory` denied (not approved: shared)"
        )


# -- going on ----


async def test_a_sub_agent_that_waits_goes_on_with_the_source_that_it_began_with(tmp_path: Path) -> None:
    """Its source is stored with it, as the main agent's is; a later call takes what lies there then."""
    main = project(
        tmp_path,
        main=agent('return [await chidori.callAgent("child.ts"), await chidori.callAgent("child.ts")];'),
        child=agent('return ["old", await chidori.input("Go on?")];'),
    )
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, main))
    (tmp_path / "child.ts").write_text(agent('return ["new", await chidori.input("New?")];'))
    async with runtime_in(tmp_path) as runtime:
        attendance = Attendance(questions=ScriptedQuestions(["1", "2"]))
        result = await runtime.resume(RUN, current=bundle_of(main), attendance=attendance)
        assert output_of(result) == [["old", "1"], ["new", "2"]]
        assert output_of(await runtime.replay(RUN)) == output_of(result)


async def test_a_sub_agent_whose_file_is_gone_goes_on_all_the_same(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('return chidori.callAgent("child.ts");'),
        child=agent('return chidori.input("Go on?");'),
    )
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, main))
    (tmp_path / "child.ts").unlink()
    async with runtime_in(tmp_path) as runtime:
        answer = Attendance(questions=ScriptedQuestions(["on"]))
        assert output_of(await runtime.resume(RUN, attendance=answer)) == "on"


async def test_a_failed_call_inside_is_the_one_that_is_made_again(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent(
            'await chidori.http(input.url, { method: "POST", body: "outer" });'
            'return chidori.callAgent("child.ts", input);'
        ),
        child=agent('await chidori.http(input.url, { method: "POST", body: "inner" }); return chidori.prompt("p");'),
    )
    async with OpenAIServer() as server:
        value = {"url": f"{server.root}/count"}
        none = {key: text for key, text in LOCAL.items() if key != "CHIDORI_TEST_LLM_RESPONSE"}
        async with runtime_in(tmp_path, {**none, "CHIDORI_MODEL": "absent-model"}) as runtime:
            failed = await start(runtime, main, value)
            assert failure_of(failed).error["location"].startswith("child.ts:2:")
        async with runtime_in(tmp_path, LOCAL) as runtime:
            result = await runtime.resume(RUN)
            assert output_of(result) == "fine"
            assert server.counted_bodies == {"outer": 1, "inner": 1}
            assert output_of(await runtime.replay(RUN)) == "fine"


async def test_a_run_stopped_inside_of_a_sub_agent_goes_on_there(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        main=agent('return chidori.callAgent("child.ts", input);'),
        child=agent("""const counts = []; for (let i = 0; i < 6; i++)
          counts.push((await chidori.http(input.url, { method: "POST", body: `${i}` })).body.count); return counts;"""),
    )
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path) as runtime:
            third = asyncio.Event()
            observer = RecordingObserver(when_ended=lambda path: third.set() if path == "1/3" else None)
            value = {"url": f"{server.root}/count?delay=30"}
            running = asyncio.create_task(start(runtime, main, value, attendance=Attendance(observer)))
            await within(20, third.wait())
            running.cancel()
            await asyncio.wait([running])
        async with runtime_in(tmp_path) as runtime:
            assert len(output_of(await runtime.resume(RUN))) == 6
        assert all(server.counted_bodies[f"{i}"] == 1 for i in (0, 1, 2))


async def test_a_run_keeps_nothing_of_sub_agents_that_have_ended(tmp_path: Path) -> None:
    calls = """for (let i = 0; i < 20; i++) await chidori.callAgent("child.ts", { i });
    await chidori.parallel(Array.from({ length: 20 }, (_, i) => () => i), { concurrency: 2 });
    await chidori.log("called"); const said = await chidori.input("on?");
    await chidori.callAgent("child.ts", { i: 20 }); await chidori.log("called"); return said;"""
    path = project(tmp_path, main=agent(calls), child=agent("return { i: input.i, text: 'x'.repeat(9000) };"))
    held: dict[str, int] = {}

    def described() -> int:
        gc.collect()
        return sum(isinstance(each, ActorMeta) for each in gc.get_objects())

    def count(path: str) -> None:
        if path in ("22", "25"):
            held[path] = described() - before

    before = described()

    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, path, attendance=Attendance(RecordingObserver(when_ended=count))))
    async with runtime_in(tmp_path) as runtime:
        answered = Attendance(RecordingObserver(when_ended=count), ScriptedQuestions(["yes"]))
        assert output_of(await runtime.resume(RUN, attendance=answered)) == "yes"
    assert held == {"22": 0, "25": 0}
