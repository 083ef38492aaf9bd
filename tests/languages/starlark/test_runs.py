"""Runs of Starlark agents, whole: calls, replay, resume, and agents and tools in both languages."""

from pathlib import Path

import pytest
from aiohttp import web

from chidori_actors import exact_json
from chidori_actors.errors import SourceError
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Completed
from chidori_actors.transfer import export_run, import_checkpoint
from tests.support.agents import bundle_of, failure_of, pause_of, records_of, runtime_in, write_agent
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.services import ScriptedQuestions

EXACT = f'{{"n":{2**70 + 1},"id":9007199254740993,"one":1,"float":1.0,"far":-{2**3000}}}'
RUN = "test-run"


def _project(folder: Path, **files: str) -> Path:
    """Files by their names, ``__`` for the folder ``tools``; the agent is ``agent.star`` or ``agent.ts``."""
    for name, text in files.items():
        folder_name, _, stem = name.rpartition("__")
        file = folder / folder_name / stem.replace("_", ".")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    name = "agent.star" if "agent_star" in files else "agent.ts"
    return write_agent(folder, files[name.replace(".", "_")], name)


async def _start(runtime: Runtime, path: Path, value: str = "{}", attendance: Attendance | None = None) -> RunResult:
    bundle = bundle_of(path)
    return await runtime.run(bundle, path, value.encode(), run_id=RUN, attendance=attendance or Attendance())


def _output(result: RunResult) -> str:
    assert isinstance(result.rest, Completed), result.rest
    return result.rest.output.decode()


ALL = """
config(max_tokens = 50)
def ask(topic): return prompt("About " + topic, temperature = 0.0)
def agent(url, data):
    found = http("POST", url, json = data)
    words = parallel([lambda: [ask("a"), data], lambda: tool("double", value = data["id"])])
    memory("set", "kept", data)
    return {"body": found["body"], "words": words, "kept": memory("get", "kept"), "text": template("{{ n }}", n = 7)}
"""
DOUBLE = '''
def double(value):
    """Doubles a number."""
    log("doubling", value = value)
    return value * 2
'''


async def test_a_run_has_exact_values_and_its_replay_makes_no_call(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type="application/json")

    path = _project(tmp_path, agent_star=ALL, tools__double_star=DOUBLE)
    async with serve(echo) as server, OpenAIServer() as model:
        environ = {"LITELLM_API_URL": model.url, "LITELLM_API_KEY": "k", "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
        async with runtime_in(tmp_path, environ) as runtime:
            result = await _start(runtime, path, f'{{"url":"{server.url}","data":{EXACT}}}')
            output = _output(result)
            reply = exact_json.loads(output)["words"][0][0]
            expected = f'{{"body":{EXACT},"words":[["{reply}",{EXACT}],18014398509481986],"kept":{EXACT},"text":"7"}}'
            assert output == expected
            assert server.received[0].body.decode() == EXACT
            asked = len(model.requests)
            functions = [record["function"] for record in records_of(runtime.store)]
        async with runtime_in(tmp_path, {}) as runtime:
            assert _output(await runtime.replay(RUN)) == output
    assert (len(server.received), len(model.requests), asked) == (1, 1, 1)
    assert functions.count("log") == functions.count("parallel") == 1


async def test_a_paused_run_goes_on_in_another_process(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(data):\n"
        "  seen = {'data': data}\n"
        "  answer = input('Go on?', choices = ['yes', 'no'])\n"
        "  return [answer, seen, memory('get', 'nothing')]",
    )
    async with runtime_in(tmp_path) as runtime:
        assert pause_of(await _start(runtime, path, f'{{"data":{EXACT}}}')).questions[0].prompt == "Go on?"
    async with runtime_in(tmp_path) as runtime:
        attendance = Attendance(questions=ScriptedQuestions(["yes"]))
        result = await runtime.resume(RUN, current=bundle_of(path), attendance=attendance)
        assert _output(result) == f'["yes",{{"data":{EXACT}}},null]'


async def test_agents_in_both_languages_call_each_other(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(data): return call_agent('middle.ts', data = data)",
        middle_ts="export const agent = async (input: any, chidori: any) =>"
        " ({ types: [typeof input.data.id, input.data.float], deep: await chidori.callAgent('deep.star', { n: 2 }) });",
        deep_star="def agent(n): return [n, type(n), 2 * n / 2, 9007199254740993]",
    )
    async with runtime_in(tmp_path) as runtime:
        output = _output(await _start(runtime, path, '{"data":{"id":9007199254740993,"float":1.0}}'))
    assert output == '{"types":["number",1],"deep":[2,"int",2,9007199254740992]}'


async def test_a_starlark_parent_gets_exact_values_from_a_starlark_child(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(data): return call_agent('child.star', data = data)",
        child_star="def agent(data): return data",
    )
    async with runtime_in(tmp_path) as runtime:
        assert _output(await _start(runtime, path, f'{{"data":{EXACT}}}')) == EXACT


async def test_a_model_gives_tools_exact_arguments_and_gets_their_exact_results(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(): return prompt('Double it', tools = ['double'], temperature = 1.0)",
        tools__double_star='def double(value, by = 2):\n  """Doubles."""\n  return {"result": value * by}',
    )
    async with OpenAIServer() as model:
        arguments = f'{{"value":{2**70},"by":1.0}}'
        model.script.append(Scripted(tool_calls=[{"name": "double", "arguments": arguments}]))
        model.script.append(Scripted(content="done"))
        environ = {"LITELLM_API_URL": model.url, "LITELLM_API_KEY": "k"}
        async with runtime_in(tmp_path, environ) as runtime:
            assert _output(await _start(runtime, path)) == '"done"'
            called = next(record for record in records_of(runtime.store) if record["function"] == "tool")
        sent = model.requests[-1]["body"]["messages"]
    assert called["args"]["kwargs"] == {"value": 2**70, "by": 1.0}
    assert sent[-2]["tool_calls"][0]["function"]["arguments"] == arguments
    assert sent[-1]["content"] == '{"result":1.1805916207174113e+21}'


async def test_a_failure_names_the_starlark_lines(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star='load("./lib.star", "share")\ndef agent(n):\n  log("x")\n  return share(n, 0)\n',
        lib_star="def share(all, by):\n  log('é')\n  return all / by\n",
    )
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await _start(runtime, path, '{"n": 1}')).error
    assert (error["location"], error["source_line"]) == ("lib.star:3:10", "return all / by")
    assert error["stack"].splitlines()[1:] == ["    at share (lib.star:3:10)", "    at agent (agent.star:4:10)"]


@pytest.mark.parametrize(
    ("load", "message", "place"),
    [
        ('load("./lib.star", "absent")', "lib.star has no `absent` at its top level", "agent.star:1:6"),
        ('load("./none.star", "x")', '"./none.star" was not found; tried none.star', "agent.star:1:6"),
        ('load("../out.star", "x")', '"../out.star" lies outside the project', "agent.star:1:6"),
        ('load("./agent.ts", "x")', '"./agent.ts" is no module', "agent.star:1:6"),
        ('load("./a.star", "x")', "files load each other: a.star loads b.star loads a.star", "b.star:1:6"),
        ('load("./broken.star", "x")', "`while` is not part of Starlark", "broken.star:2:3"),
    ],
)
def test_files_that_cannot_be_loaded_are_told(tmp_path: Path, load: str, message: str, place: str) -> None:
    path = _project(
        tmp_path,
        agent_star=f"{load}\ndef agent(): pass\n",
        lib_star="x = 1\n_y = 2\n",
        agent_ts="export const x = 1;",
        a_star='load("./b.star", "y")\nx = 1\n',
        b_star='load("a.star", "x")\ny = 1\n',
        broken_star="def x():\n  while True: pass\n",
    )
    with pytest.raises(SourceError) as raised:
        bundle_of(path)
    assert raised.value.reason.startswith(message)
    assert raised.value.place == place


def test_a_tool_in_both_languages_is_refused(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(): pass\n",
        tools__double_star=DOUBLE,
        tools__double_ts="export const tool = { name: 'double', description: 'x' }; export const run = () => 1;",
    )
    bundle = bundle_of(path)
    assert bundle.tools == ()
    assert [broken.reason for broken in bundle.broken_tools] == [
        "tools/double.star: the tool `double` is in double.ts, too; remove or rename one of them"
    ]


async def test_an_exported_run_is_the_same_where_it_is_imported(tmp_path: Path) -> None:
    path = _project(
        tmp_path,
        agent_star="def agent(data):\n"
        "  return [parallel([lambda: data]), call_agent('child.star', data = data), 1e20, 1e22, -0.0]",
        child_star="def agent(data): return data",
    )
    async with runtime_in(tmp_path) as runtime:
        output = _output(await _start(runtime, path, f'{{"data":{EXACT}}}'))
        file = export_run(runtime.store, get_run(runtime.store, RUN))
    (tmp_path / "other").mkdir()
    async with runtime_in(tmp_path / "other") as runtime:
        await import_checkpoint(runtime.store, file)
        result = await runtime.replay(RUN)
        assert (_output(result), result.meta.output) == (output, output.encode())
