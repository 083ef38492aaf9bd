"""``chidori.tool``: tool files as actors of the run, called by the agent or by a model."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.session.attendance import Attendance
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.services import ScriptedQuestions

pytestmark = LITELLM_WARNINGS
RUN = "test-run"
NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}


def agent(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{\n{body}\n}}"


def tool(name: str, body: str, parameters: dict[str, Any] | None = None) -> str:
    """A tool file whose function has ``body``."""
    schema = orjson.dumps(parameters or {"type": "object"}).decode()
    return (
        f'export const tool = {{ name: "{name}", description: "About {name}.", parameters: {schema} }};\n'
        f"export async function run(args: any, chidori: any) {{\n{body}\n}}"
    )


def project(folder: Path, body: str, **tools: str) -> Path:
    """A project with an agent and tools; a tool is its file's text."""
    (folder / "tools").mkdir(parents=True, exist_ok=True)
    for name, source in tools.items():
        (folder / "tools" / f"{name}.ts").write_text(source, encoding="utf-8")
    return write_agent(folder, agent(body))


def models(server: OpenAIServer) -> dict[str, str]:
    """Settings of a run that asks the models of ``server``."""
    others = {key: text for key, text in LOCAL.items() if key != "CHIDORI_TEST_LLM_RESPONSE"}
    return {**others, "LITELLM_API_URL": server.url, "LITELLM_API_KEY": "k", "CHIDORI_MODEL": "m"}


async def test_a_tool_gets_its_arguments_and_gives_any_json(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """const both = [await chidori.tool("double", { n: 4 }), await chidori.tool("nothing")];
        return [...both, Math.random() === 0];""",
        double=tool("double", "await chidori.log('inside'); return { twice: args.n * 2 };", NUMBER),
        nothing=tool("nothing", ""),
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        assert output_of(result) == [{"twice": 8}, None, False]
        records = records_of(runtime.store)
        assert [(record["path"], record["function"]) for record in records] == [
            ("1/1", "log"),
            ("1", "tool"),
            ("2", "tool"),
        ]
        assert records[1]["args"] == {"name": "double", "kwargs": {"n": 4}}
        assert records[0]["parent_seq"] == records[1]["seq"]
        assert output_of(await runtime.replay(RUN)) == output_of(result)


async def test_an_unknown_tool_is_an_error_with_those_there_are(tmp_path: Path) -> None:
    path = project(tmp_path, 'return chidori.tool("duble");', double=tool("double", ""), add=tool("add", ""))
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await start(runtime, path)).error
        assert error["message"].startswith("Unknown tool: duble (available: add, double)")
        assert "did you mean `double`?" in error["message"]
        assert error["location"].startswith("agent.ts:2:")


async def test_a_broken_tool_is_a_warning_at_the_start_and_a_reason_in_the_error(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """return [await chidori.tool("good"), (await chidori.tryCall(() => chidori.tool("broken"))).error];""",
        good=tool("good", "return 1;"),
        broken="export const tool = {",
    )
    observer = RecordingObserver()
    async with runtime_in(tmp_path) as runtime:
        good, error = output_of(await start(runtime, path, attendance=Attendance(observer)))
    assert good == 1
    assert error.startswith("Unknown tool: broken (available: good); tools/broken.ts could not be loaded: ")
    [(warning,)] = observer.of("warned")
    assert warning.startswith("the tool tools/broken.ts cannot be used: ")


@pytest.mark.parametrize(
    ("arguments", "place"), [("{}", "n"), ('{ n: "4" }', "n"), ("{ n: null }", "n"), ("{ m: 1 }", "n")]
)
async def test_arguments_are_checked_before_the_tool_runs(tmp_path: Path, arguments: str, place: str) -> None:
    path = project(
        tmp_path,
        f"""try {{ await chidori.tool("double", {arguments}); }}
        catch (error) {{ return [error.name, error.message]; }}""",
        double=tool("double", "await chidori.memory('set', 'ran', true);", NUMBER),
    )
    async with runtime_in(tmp_path) as runtime:
        name, message = output_of(await start(runtime, path))
        assert name == "ToolArgumentsError"
        assert message.startswith("tool `double`: invalid arguments: ")
        assert place in message
        assert [record["function"] for record in records_of(runtime.store)] == ["tool"]


@pytest.mark.parametrize("given", ["7", "'text'", "[1]", "null"])
async def test_arguments_must_be_an_object(tmp_path: Path, given: str) -> None:
    path = project(tmp_path, f'return chidori.tool("double", {given});', double=tool("double", ""))
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await start(runtime, path)).error
        assert error["message"] == "chidori.tool: the arguments must be an object"


async def test_an_error_in_a_tool_has_the_place_in_its_file(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        'return await chidori.tool("bad", { n: 1 });',
        bad=tool("bad", "throw new RangeError(`no ${args.n}`);"),
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        error = failure_of(result).error
        assert (error["name"], error["message"]) == ("RangeError", "no 1")
        assert error["location"].startswith("tools/bad.ts:3:")
        assert failure_of(await runtime.replay(RUN)).error == error


async def test_a_tool_calls_tools_agents_prompts_and_branches(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        'return chidori.tool("outer", { url: input.url });',
        outer=tool(
            "outer",
            """const all = await chidori.parallel([
              () => chidori.tool("inner", { url: args.url, body: "one" }),
              () => chidori.prompt("what?"),
              () => chidori.callAgent("child.ts", { url: args.url })]);
            return [...all, await chidori.tool("inner", { url: args.url, body: "two" })];""",
        ),
        inner=tool("inner", "return (await chidori.http(args.url, { method: 'POST', body: args.body })).body.count;"),
    )
    (tmp_path / "child.ts").write_text(agent('return chidori.tool("inner", { url: input.url, body: "child" });'))
    async with OpenAIServer() as server, runtime_in(tmp_path, models(server)) as runtime:
        result = await within(30, start(runtime, path, {"url": f"{server.root}/count"}))
        assert output_of(result) == [1, "answer(what?)#1", 1, 1]
        assert server.counted_bodies == {"one": 1, "two": 1, "child": 1}
        paths = {record["path"]: record["function"] for record in records_of(runtime.store)}
        assert paths == {
            "1": "tool",
            "1/1": "parallel",
            "1/1/b0/1": "tool",
            "1/1/b0/1/1": "http",
            "1/1/b1/1": "prompt",
            "1/1/b2/1": "call_agent",
            "1/1/b2/1/1": "tool",
            "1/1/b2/1/1/1": "http",
            "1/2": "tool",
            "1/2/1": "http",
        }
        assert output_of(await runtime.replay(RUN)) == output_of(result)


@pytest.mark.parametrize("decision", ["never_allow", "ask_before"])
async def test_a_policy_names_a_tool(tmp_path: Path, decision: str) -> None:
    path = project(
        tmp_path,
        """return [(await chidori.tryCall(() => chidori.tool("danger"))), await chidori.tool("safe")];""",
        danger=tool("danger", "return 'done';"),
        safe=tool("safe", "return 'safe';"),
    )
    policy = {
        "rules": [{"target": "tool:danger", "decision": decision, "reason": "it bites"}],
        "default": "always_allow",
    }
    environ = {**LOCAL, "CHIDORI_POLICY": orjson.dumps(policy).decode()}
    async with runtime_in(tmp_path, environ) as runtime:
        result = await start(runtime, path)
        if decision == "never_allow":
            assert output_of(result) == [{"ok": False, "error": "policy: `tool:danger` denied (it bites)"}, "safe"]
            return
        question = pause_of(result).questions[0]
        assert (question.kind, question.target) == ("approval", "tool:danger")
        answer = Attendance(questions=ScriptedQuestions(["yes"]))
        assert output_of(await runtime.resume(RUN, attendance=answer)) == [{"ok": True, "value": "done"}, "safe"]


async def test_two_tools_that_a_model_asks_for_at_once_run_side_by_side(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """return chidori.prompt('Do it [call=post {"body": "a"}] [call=post {"body": "b"}]', { tools: ["post"] });""",
        post=tool(
            "post",
            "const to = await chidori.memory('get', 'url');"
            "return (await chidori.http(`${to}?delay=200`, { method: 'POST', body: args.body })).body.count;",
        ),
    )
    async with OpenAIServer() as server, runtime_in(tmp_path, models(server)) as runtime:
        write_agent(
            tmp_path,
            path.read_text().replace("return chidori", "await chidori.memory('set', 'url', input.url); return chidori"),
        )
        result = await within(30, start(runtime, path, {"url": f"{server.root}/count"}))
        assert output_of(result).startswith("answer(Do it")
        assert server.max_in_flight == 2
        assert server.counted_bodies == {"a": 1, "b": 1}
        turns = [record for record in records_of(runtime.store) if record["function"] == "prompt"]
        assert [turn["args"]["turn"] for turn in turns] == [1, 2]
        assert server.chat_requests == 2
        assert output_of(await runtime.replay(RUN)) == output_of(result)
        assert server.chat_requests == 2


async def test_what_goes_wrong_in_a_tool_is_for_the_model_to_deal_with(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """const asked = 'Try [call=bad {}] [call=double {"n": "x"}] [call=secret {}]';
        return chidori.prompt(asked, { tools: ["bad", "double"] });""",
        bad=tool("bad", "throw new RangeError('it broke');"),
        double=tool("double", "return 1;", NUMBER),
        secret=tool("secret", "return 'not offered';"),
    )
    async with OpenAIServer() as server, runtime_in(tmp_path, models(server)) as runtime:
        result = await within(30, start(runtime, path))
        assert output_of(result).startswith("answer(Try")
        said = [message["content"] for message in server.requests[-1]["body"]["messages"] if message["role"] == "tool"]
        assert said[0] == "Error: it broke"
        assert said[1].startswith("Error: tool `double`: invalid arguments: ")
        assert said[2].startswith("Error: Unknown tool: secret (available: bad, double)")
        errors = {record["path"]: record.get("error") for record in records_of(runtime.store)}
        assert "it broke" in [error for error in errors.values() if error]


async def test_a_question_inside_of_a_tool_that_a_model_asked_for_pauses_and_goes_on(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """return chidori.prompt('Ask [call=ask {}]', { tools: ["ask"] });""",
        ask=tool("ask", "return `they said ${await chidori.input('Really?')}`;"),
    )
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path, models(server)) as runtime:
            question = pause_of(await within(30, start(runtime, path))).questions[0]
            assert (question.prompt, question.path) == ("Really?", "2/1")
        async with runtime_in(tmp_path, models(server)) as runtime:
            answer = Attendance(questions=ScriptedQuestions(["yes"]))
            output_of(await within(30, runtime.resume(RUN, attendance=answer)))
        assert server.chat_requests == 2
        assert server.requests[-1]["body"]["messages"][-1]["content"] == "they said yes"


async def test_a_turn_that_failed_is_asked_again_without_its_tools(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        """return chidori.prompt(`Do it [call=post {"url": "${input.url}"}]`, { tools: ["post"] });""",
        post=tool("post", "return (await chidori.http(args.url, { method: 'POST', body: 'x' })).body.count;"),
    )
    async with OpenAIServer() as server:
        server.script.extend([Scripted(), Scripted(status=400, message="scripted refusal")])
        async with runtime_in(tmp_path, models(server)) as runtime:
            failed = failure_of(await within(30, start(runtime, path, {"url": f"{server.root}/count"})))
            assert "scripted refusal" in failed.error["message"]
        async with runtime_in(tmp_path, models(server)) as runtime:
            assert output_of(await within(30, runtime.resume(RUN))).startswith("answer(Do it")
        assert server.counted_bodies == {"x": 1}
        assert server.chat_requests == 3
