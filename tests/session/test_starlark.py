"""Agents in Starlark have what agents in TypeScript have: forks, images, tools, sub-agents, kills and branches."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from chidori_actors import exact_json
from chidori_actors.session.attendance import Attendance
from tests.cli.console import command_line, environment
from tests.support.agents import (
    RecordingObserver,
    bundle_of,
    failure_of,
    records_of,
    runtime_in,
    start,
)
from tests.support.examples import asking
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer
from tests.support.process import finished
from tests.support.services import ScriptedQuestions
from tests.support.starlark import LARGE, RUN, calls, check_replay, project, text_of

# -- both languages ---------------------------------------------------------------------------------------------------


async def test_what_starlark_gives_is_exact_in_the_record_whoever_asked(tmp_path: Path) -> None:
    """A parent in TypeScript sees the nearest number; the record and another child have the number itself."""
    path = project(
        tmp_path,
        {
            "agent.ts": """export async function agent(input: any, chidori: any) {
              const [one, other] = await Promise.all([
                chidori.callAgent("child.star", { n: 9007199254740992 }), chidori.tool("next", { n: 1 })]);
              return [one.n === 9007199254740992, one.f, other];
            }""",
            "child.star": "def agent(n): return {'n': n + 1, 'f': n * 1.0, 'deep': call_agent('deep.star', n = n + 1)}",
            "deep.star": "def agent(n): return [n, type(n)]",
            "tools/next.star": 'def next(n):\n  """Gives the next number."""\n  return n + 1',
        },
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        assert text_of(result) == "[true,9007199254740992,2]"
        deep, child = calls(runtime, "call_agent")
        assert (deep["args"]["input"], deep["result"]) == ({"n": LARGE}, [LARGE, "int"])
        assert exact_json.dumps(child["result"]) == (
            b'{"n":%d,"f":9007199254740992.0,"deep":[%d,"int"]}' % (LARGE, LARGE)
        )
        await check_replay(runtime, result)


STAR_ADD = 'def add(a, b = 1):\n  """Adds."""\n  log("adding", a = a)\n  return {"sum": a + b}'
TS_ADD = """export const tool = { name: "add", description: "Adds.", parameters: { type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a"] } };
export async function run(args: any, chidori: any) {
  await chidori.log("adding", { a: args.a });
  return { sum: args.a + (args.b ?? 1) };
}"""
STAR_ASKS = "def agent(): return prompt('Add [call=add {\"a\": 41}]', tools = ['add'])"
TS_ASKS = """export async function agent(input: any, chidori: any) {
  return chidori.prompt('Add [call=add {"a": 41}]', { tools: ["add"] });
}"""


@pytest.mark.parametrize(
    "files",
    [
        {"agent.ts": TS_ASKS, "tools/add.star": STAR_ADD},
        {"agent.star": STAR_ASKS, "tools/add.ts": TS_ADD},
        {"agent.star": STAR_ASKS, "tools/add.star": STAR_ADD},
    ],
    ids=["star tool", "ts tool", "both star"],
)
async def test_a_model_uses_tools_in_either_language(tmp_path: Path, files: Mapping[str, str]) -> None:
    path = project(tmp_path, files)
    async with OpenAIServer() as model, runtime_in(tmp_path, {**asking(model), "CHIDORI_MODEL": "m"}) as runtime:
        result = await start(runtime, path)
        assert text_of(result).startswith('"answer(Add [call=add')
        [offered] = model.requests[0]["body"]["tools"]
        assert offered["function"]["name"] == "add"
        assert offered["function"]["parameters"]["required"] == ["a"]
        assert model.requests[1]["body"]["messages"][-1]["content"] == '{"sum":42}'
        [tool], [log] = calls(runtime, "tool"), calls(runtime, "log")
        assert (tool["result"], log["parent_seq"]) == ({"sum": 42}, tool["seq"])
        await check_replay(runtime, result)
        assert model.chat_requests == 2


# -- forks ------------------------------------------------------------------------------------------------------------

FORKS = """
def agent():
    seen = ["parent"]
    state = {"n": 9007199254740993}
    def branch(i):
        log("before", i = i)
        seen.append(i)
        state["n"] += i
        inner = parallel([lambda: seen + [j] for j in range(2)])
        memory("set", "b%d" % i, state["n"])
        return [seen, state["n"], inner, 1.0 * i]
    done = parallel([lambda i = i: branch(i) for i in range(3)], concurrency = 2)
    failed = try_call(lambda: parallel([lambda: 1, lambda: seen[5]]))
    return [done, seen, state, failed, [memory("get", "b%d" % i) for i in range(3)]]
"""


async def test_forks_keep_what_they_change_to_themselves(tmp_path: Path) -> None:
    path = project(tmp_path, {"agent.star": FORKS})
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        done, seen, state, failed, kept = exact_json.loads(text_of(result))
        assert [part[:2] for part in done] == [[["parent", i], LARGE + i] for i in range(3)]
        assert [part[2] for part in done] == [[["parent", i, 1], ["parent", i, 1]] for i in range(3)]
        assert [repr(part[3]) for part in done] == ["0.0", "1.0", "2.0"]
        assert (seen, state) == (["parent"], {"n": LARGE})
        assert (failed["value"], "index" in failed["error"].lower()) == (None, True), failed
        assert kept == [LARGE, LARGE + 1, LARGE + 2]
        await check_replay(runtime, result)


async def test_a_fork_that_asks_goes_on_from_its_image_in_another_process(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        {
            "agent.star": "def agent(n):\n"
            "  seen = {(n, 1): [n]}\n"
            "  def ask():\n"
            "    log('early')\n"
            "    seen[(n, 1)].append(input('Go on?', choices = ['yes', 'no']))\n"
            "    return [seen[(n, 1)], n + 1]\n"
            "  return [parallel([ask, lambda: n * n]), seen[(n, 1)]]\n"
        },
    )
    environ = environment(tmp_path, CHIDORI_DB_PATH=str(tmp_path / "store"))
    code, _, told = await finished(
        *command_line("run", "agent.star", "-i", f'{{"n": {LARGE}}}'), cwd=tmp_path, env=environ
    )
    assert code == 3, told
    run_id = told.split()[1]
    async with runtime_in(tmp_path) as runtime:
        observer = RecordingObserver()
        attendance = Attendance(observer, questions=ScriptedQuestions(["yes"]))
        result = await runtime.resume(run_id, current=bundle_of(path), attendance=attendance)
        assert text_of(result) == f'[[[[{LARGE},"yes"],{LARGE + 1}],{LARGE**2}],[{LARGE}]]'
        assert not any(replayed for *_, replayed in observer.of("call_ended")), "images are not replayed"
        await check_replay(runtime, result, run_id)


# -- the host's functions ---------------------------------------------------------------------------------------------

EVERYTHING = """
config(model = "the-model", max_tokens = 7)

def agent(url):
    kept = memory("get", "kept")
    memory("set", "kept", {"n": 9007199254740993, "f": 1.0})
    checkpoint("middle", [9007199254740993, 1.0, (1, 2)])
    def unsteady():
        answer = http("GET", url + "/unsteady")
        if answer["status"] != 200: fail("unsteady:", answer["status"])
        return answer["body"]
    steady = retry(unsteady, max_attempts = 3, initial_delay_ms = 1)
    never = try_call(lambda: retry(lambda: fail("no"), max_attempts = 2, initial_delay_ms = 1))
    http("POST", url + "/sent", json = kept, headers = {"Authorization": "Bearer " + env("TOKEN")})
    refused = try_call(lambda: env("TOKEN", reveal = True))
    text = template("{{ n }} {{ f }} {{ l | tojson }}", n = 9007199254740993, f = 1.0, l = [1.0, 1])
    return [kept, steady, never, refused["error"], text, prompt(text), prompt("x", model = "other", max_tokens = 8)]
"""


async def test_every_function_of_the_host_does_what_it_says(tmp_path: Path) -> None:
    asked = 0

    async def unsteady(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        if request.path == "/unsteady":
            asked += 1
        return web.json_response({"asked": asked, "n": LARGE}, status=200 if asked % 3 == 0 else 503)

    path = project(tmp_path, {"agent.star": EVERYTHING})
    async with OpenAIServer() as model, serve(unsteady) as server:
        environ = {**asking(model), "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "TOKEN": "a-secret-token"}
        async with runtime_in(tmp_path, environ) as runtime:
            first = await start(runtime, path, {"url": server.url}, run_id="first")
            result = await start(runtime, path, {"url": server.url})
            kept, steady, never, refused, text, *answers = exact_json.loads(text_of(result))
            assert exact_json.loads(text_of(first))[0] is None
            assert exact_json.dumps(kept) == b'{"n":%d,"f":1.0}' % LARGE
            assert steady == {"asked": 6, "n": LARGE}
            assert never == {"value": None, "error": "fail: no"}
            assert "TOKEN" in refused
            assert text == f"{LARGE} 1.0 [1.0, 1]"
            assert answers == [f"answer({text})#2", "answer(x)#2"]
            limits = [(one["body"]["model"], one["body"]["max_tokens"]) for one in model.requests]
            assert limits[2:] == [("the-model", 7), ("other", 8)]
            sent = server.received[-1]
            assert (sent.body, sent.headers["authorization"]) == (
                b'{"n":%d,"f":1.0}' % LARGE,
                "Bearer a-secret-token",
            )
            [middle] = calls(runtime, "checkpoint")
            assert exact_json.dumps(middle["args"]["data"]) == b"[%d,1.0,[1,2]]" % LARGE
            assert "a-secret-token" not in str(records_of(runtime.store))
            assert [one["args"]["ms"] for one in calls(runtime, "timer")] == [1, 2, 1]
            requests = (len(server.received), model.chat_requests)
            await check_replay(runtime, result)
            assert (len(server.received), model.chat_requests) == requests


# -- failures --------------------------------------------------------------------------------------------------------


async def test_a_failure_in_a_fork_of_a_sub_agent_names_the_lines(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        {
            "agent.star": "def agent():\n  return call_agent('child.star', n = 0)\n",
            "child.star": "def share(n):\n  log('x')\n  return 1 // n\n\ndef agent(n):\n"
            "  return parallel([lambda: 1, lambda: share(n)])\n",
        },
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        error = failure_of(result).error
        assert (error["location"], error["source_line"]) == ("child.star:3:10", "return 1 // n")
        places = re.findall(r"at (\S+) \((\S+)\)", error["stack"])
        assert places[0] == ("share", "child.star:3:10")
        assert places[-1] == ("agent", "agent.star:2:10")
        assert failure_of(await runtime.replay(RUN)).error == error
