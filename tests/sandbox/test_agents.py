"""Sandboxes as agents use them: records, replay, crashes, and that nothing else waits for them."""

import asyncio
from pathlib import Path

import pytest

from chidori_actors import exact_json
from chidori_actors.host.function import Question
from chidori_actors.session.attendance import Attendance
from tests.support.agents import failure_of, output_of, records_of, runtime_in, start, within, write_agent
from tests.support.executions import executed_from_now_on
from tests.support.killing import KILLED, Kill, drive, left_in, world
from tests.support.starlark import check_replay, project, text_of

from .executions import workers

SECONDS = 60
ADD = '(module (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))'
LOOP = "for (;;) {}"


def agent(body: str) -> str:
    return f'import {{ chidori }} from "chidori";\nexport async function agent(input) {{\n{body}\n}}'


ALL_THREE = agent(f"""
  const js = await chidori.execJs("console.log('hi'); return input.x + 1", {{ input: {{ x: 1 }}, timeoutMs: 30000 }});
  const python = await chidori.execPython("result = input['x'] * 2", {{ input: {{ x: js }}, memoryMb: 32 }});
  const wasm = await chidori.execWasm(`{ADD}`, {{ function: "add", args: [python, 2n ** 62n], memoryPages: 1 }});
  return {{ js, python, wasm }};""")


async def test_records_have_the_args_and_results_of_the_contract_and_replay_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = executed_from_now_on(monkeypatch)
    path = write_agent(tmp_path, ALL_THREE)
    async with runtime_in(tmp_path) as runtime:
        output = output_of(await start(runtime, path))
        js, python, wasm = records_of(runtime.store)
        fuel = output["wasm"]["fuel_remaining"]
        assert 0 < fuel < 10**9
        assert output == {"js": 2, "python": 4, "wasm": {"returns": [str(2**62 + 4)], "fuel_remaining": fuel}}
        assert (js["function"], js["result"], js["printed"]) == ("exec_js", 2, "hi\n")
        assert js["args"] == {
            "source": "console.log('hi'); return input.x + 1",
            "input": {"x": 1},
            "timeout_ms": 30000,
        }
        assert (python["function"], python["result"]) == ("exec_python", 4)
        assert python["args"] == {
            "source": "result = input['x'] * 2",
            "input": {"x": 2},
            "timeout_ms": 10_000,
            "memory_mb": 32,
        }
        assert (wasm["function"], wasm["result"]) == ("exec", output["wasm"])
        assert wasm["args"] == {"source": ADD, "function": "add", "args": [4, str(2**62)], "memory_pages": 1}
    assert len(executed) == 3
    before = workers()
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await runtime.replay("test-run")) == output
        assert output_of(await runtime.replay_as("test-run", "copy")) == output
        assert workers() == before
    assert len(executed) == 3


async def test_a_failure_is_an_error_with_fields_that_is_thrown_again_in_a_replay(tmp_path: Path) -> None:
    body = f"""
  const seen = [];
  const tries = [
    () => chidori.execJs("null.x\\n"), () => chidori.execJs("const a = 1;\\n  nope()"),
    () => chidori.execJs("{LOOP}", {{ timeoutMs: 50 }}), () => chidori.execPython("1\\n1/0"),
    () => chidori.execPython("1", {{ runtime: "jython" }}), () => chidori.execJs("1", {{ timeoutMs: 1e9 }}),
    () => chidori.execWasm(`{ADD}`, {{ function: "add", args: [1, 2], fuel: 1 }}),
    () => chidori.execWasm("(module", {{ function: "f" }}), () => chidori.execJs("\\ud800\\udc00 \\ud800"),
  ];
  for (const one of tries) {{
    try {{ seen.push(await one()); }}
    catch (error) {{ seen.push({{ ...error, name: error.name, message: error.message }}); }}
  }}
  return seen;"""
    path = write_agent(tmp_path, agent(body))
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        null, nope, loop, python, runtime_name, timeout, wasm, text, surrogate = output_of(result)
        assert null["message"].startswith("execJs: TypeError: cannot read property 'x' of null")
        assert (nope["name"], nope["thrown"], nope["line"]) == ("SandboxError", "ReferenceError", 2)
        assert (loop["bound"], loop["message"]) == (
            "timeoutMs",
            "execJs: the source ran for more than 50 ms (timeoutMs)",
        )
        assert (python["thrown"], python["line"], python["column"]) == ("ZeroDivisionError", 2, 1)
        assert runtime_name["message"] == 'execPython: runtime must be "monty" or "cpython"'
        assert timeout["message"] == "execJs: timeoutMs must be a whole number from 1 to 600000"
        assert (wasm["bound"], wasm["message"]) == ("fuel", "execWasm: the module used up its fuel of 1 (fuel)")
        assert text["message"].startswith("execWasm: the source is not WebAssembly text: expected `)` (line 1)")
        assert surrogate["thrown"] == "SyntaxError"
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_results_with_special_keys_are_plain_data_for_the_agent(tmp_path: Path) -> None:
    body = """
  const source = `return JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2, "toJSON": 3, "then": 4}')`;
  const value = await chidori.execJs(source);
  return [Object.keys(value), value.constructor, value.then, {}.polluted === undefined, value];"""
    path = write_agent(tmp_path, agent(body))
    async with runtime_in(tmp_path) as runtime:
        data = {"__proto__": {"polluted": 1}, "constructor": 2, "toJSON": 3, "then": 4}
        assert output_of(await start(runtime, path)) == [list(data), 2, 4, True, data]


class HeldQuestions:
    """Answers every question with "yes", but not before ``answer`` is set; ``asked`` is set at the first one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def ask(self, question: Question) -> str:
        self.asked.set()
        await self.answer.wait()
        return "yes"


async def test_other_calls_and_other_sessions_go_on_meanwhile(tmp_path: Path) -> None:
    slow = f"""
  const controller = new AbortController();
  const slow = chidori.execJs("{LOOP}", {{ timeoutMs: 600000, signal: controller.signal }});
  slow.catch(() => {{}});
  for (let i = 0; i < 20; i++) await chidori.log(`${{i}}`);
  await chidori.input("Stop it?");
  controller.abort();
  return slow.catch((error) => error.name);"""
    path = write_agent(tmp_path, agent(slow))
    other = write_agent(tmp_path, agent('return chidori.execPython("40 + 2");'), "other.ts")
    before = workers()
    async with runtime_in(tmp_path) as runtime, asyncio.TaskGroup() as group:
        questions = HeldQuestions()
        running = group.create_task(start(runtime, path, run_id="slow", attendance=Attendance(questions=questions)))
        # The question comes after the logs: they did not wait for the execution, which goes on for ten minutes.
        await within(SECONDS, questions.asked.wait())
        assert output_of(await within(SECONDS, start(runtime, other, run_id="other"))) == 42
        assert not running.done()
        questions.answer.set()
        assert output_of(await within(SECONDS, running)) == "AbortError"
        made = [record["function"] for record in records_of(runtime.store, "slow")]
        assert sorted(made) == ["exec_js", "input", *["log"] * 20]
    assert workers() == before


async def test_a_race_an_abort_and_the_end_of_the_agent_end_the_process(tmp_path: Path) -> None:
    body = f"""
  const long = (signal) => chidori.execJs("{LOOP}", {{ timeoutMs: 600000, signal }});
  const raced = await Promise.race([long(), chidori.execJs("1")]);
  const controller = new AbortController();
  const aborted = long(controller.signal).catch((error) => error.name);
  await chidori.log("begun");
  controller.abort();
  return [raced, await aborted];"""
    path = write_agent(tmp_path, agent(body))
    before = workers()
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(SECONDS, start(runtime, path))) == [1, "AbortError"]
        cancelled = [record["error"] for record in records_of(runtime.store) if record.get("error")]
        assert len(cancelled) == 2
    assert workers() == before


async def test_two_hundred_executions_at_once(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        agent("return Promise.all(Array.from({ length: 200 }, (_, i) => chidori.execJs('input * 2', { input: i })));"),
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(SECONDS, start(runtime, path))) == [2 * i for i in range(200)]


async def test_sandboxes_work_in_branches_sub_agents_and_tools(tmp_path: Path) -> None:
    body = """
  const branches = await chidori.parallel([1, 2].map((x) => () => chidori.execJs("input + 1", { input: x })));
  return [branches, await chidori.callAgent("child.ts", { x: 5 }), await chidori.tool("twice", { x: 6 })];"""
    (tmp_path / "tools").mkdir()
    write_agent(tmp_path, agent('return chidori.execPython("input + 1", { input: input.x });'), "child.ts")
    write_agent(
        tmp_path,
        """export const tool = { name: "twice", description: "Twice.", parameters: { type: "object" } };
export async function run(input, chidori) { return chidori.execJs("input * 2", { input: input.x }); }""",
        "tools/twice.ts",
    )
    path = write_agent(tmp_path, agent(body))
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        assert output_of(result) == [[2, 3], 6, 12]
        assert output_of(await runtime.replay("test-run")) == [[2, 3], 6, 12]


async def test_starlark_has_them_with_exact_integers(tmp_path: Path) -> None:
    source = f'''
def agent():
    big = exec_python("input * 2", 1 << 70, memory_mb = 32)
    js = exec_js("({{ a: input.a, b: 1.5 }})", {{"a": 1}}, timeout_ms = 20000)
    added = exec_wasm("""{ADD}""", "add", [1 << 53, 1])
    none = exec_js("undefined")
    failed = try_call(lambda: exec_wasm("""{ADD}""", "add", [1 << 70, 1]))
    nested = try_call(lambda: exec_python("1/0"))
    return [big, js, added["returns"], none, failed["error"], nested["error"]]
'''
    path = project(tmp_path, {"agent.star": source})
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        big, js, added, none, failed, nested = exact_json.loads(text_of(result))
        assert (big, js, added, none) == (2**71, {"a": 1, "b": 1.5}, [str(2**53 + 1)], None)
        assert failed == f"execWasm: argument 1: `add` takes (i64, i64); {2**70} does not fit i64"
        assert nested == "execPython: ZeroDivisionError: division by zero (line 1)"
        await check_replay(runtime, result)


async def test_a_failure_that_nobody_catches_ends_the_run_with_its_text(tmp_path: Path) -> None:
    path = write_agent(tmp_path, agent("return chidori.execPython(\"raise ValueError('boo')\");"))
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await start(runtime, path)).error
        assert "execPython: ValueError: boo (line 1)" in error["message"]


async def test_an_execution_that_a_kill_interrupted_is_made_again_once(tmp_path: Path) -> None:
    busy = "let n = 0; for (let i = 0; i < 6e6; i++) n += i % 7; return n"
    body = f"""
  const first = await chidori.execJs("input + 1", {{ input: 1 }});
  await chidori.http(input.url + "/before", {{ method: "POST" }});
  const [slow] = await Promise.all([
    chidori.execJs("{busy}", {{ timeoutMs: 60000 }}),
    chidori.http(input.url + "/beside", {{ method: "POST" }}),
  ]);
  return [first, slow];"""
    write_agent(tmp_path, agent(body))
    async with world() as (made, server):
        code, _ = await drive(tmp_path, server, Kill(made, 2, 0.05))
        assert code == KILLED
        assert [record["function"] for record in left_in(tmp_path).records].count("exec_js") == 1
        code, ended = await drive(tmp_path, server)
        assert (code, ended["status"], ended["output"]) == (0, "completed", [2, sum(i % 7 for i in range(6_000_000))])
    records = left_in(tmp_path).records
    assert sorted(record["path"] for record in records if record["function"] == "exec_js") == ["1", "3"]
