"""No error that an agent is given tells of this machine, or speaks Python."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import LOCAL, output_of, records_of, runtime_in, start, within, write_agent

PROJECT = Path(__file__).parents[2]
PYTHON = re.compile(
    r"Traceback|0x[0-9a-f]{6,}|object at|<(class|function|module|built-in)|Posix|\bb'|\[Errno|\.py\b|site-packages"
    r"|\b(Key|Value|Attribute|OS|FileNotFound|Connection|Client\w*|JSONDecode|Unicode\w*|Permission|IsADirectory|Timeout"
    r"|ZeroDivision|Security|Host|Recursion|Overflow|Undefined|Validation|Index|Lookup|Runtime|Memory|McpError)Error\b"
    r"|NoneType|\bNone\b|\bTrue\b|\bdict\b|object is not|built-in"
)

AGENT = """
const lie = (): any => new Proxy({}, { get: (_, name) => name === "toJSON" ? () => 5 : undefined });
const bent = (first: any): any => {
  let reads = 0;
  return Object.defineProperty(["a"], 0, { enumerable: true, get: () => reads++ < 2 ? "a" : first });
};
export async function agent(input: any, chidori: any) {
  try {
    return { ok: await (CALL) };
  } catch (error: any) {
    return { name: error.name, message: error.message, stack: error.stack, data: { ...error } };
  }
}"""

CALLS = {
    "template missing": "chidori.template('no.jinja')",
    "template outside": "chidori.template('../../etc/passwd.txt')",
    "template absolute": "chidori.template('/etc/passwd')",
    "template nul": "chidori.template('\\0.jinja')",
    "template long": "chidori.template('a'.repeat(5000) + '.jinja')",
    "template folder": "chidori.template('folder.jinja')",
    "template binary": "chidori.template('notes.md')",
    "template link": "chidori.template('link.jinja')",
    "template syntax": "chidori.template('{% if %}')",
    "template attribute": "chidori.template('{{ x.__class__ }}', { x: 1 })",
    "template division": "chidori.template('{{ 1 / 0 }}')",
    "template function": "chidori.template('{{ range }}')",
    "template method": "chidori.template('{{ x.items }}', { x: {} })",
    "template glued function": "chidori.template('{{ lipsum ~ 1 }}')",
    "template written function": "chidori.template('{{ lipsum | string }}')",
    "template bytes": "chidori.template('{{ x.encode() }}', { x: 'a' })",
    "template range": "chidori.template('{% for i in range(10000000) %}{% endfor %}')",
    "template recursion": "chidori.template('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}')",
    "template include": "chidori.template('{% include \"/etc/passwd\" %}')",
    "template vars": "chidori.template('{{ x }}', lie())",
    "agent missing": "chidori.callAgent('no.ts')",
    "agent outside": "chidori.callAgent('../../../etc/passwd')",
    "agent absolute": "chidori.callAgent('/etc/passwd')",
    "agent nul": "chidori.callAgent('\\0')",
    "agent long": "chidori.callAgent('a'.repeat(300) + '/' + 'b'.repeat(300))",
    "agent folder": "chidori.callAgent('folder.jinja')",
    "agent loop": "chidori.callAgent('loop.ts')",
    "agent broken": "chidori.callAgent('broken.ts')",
    "agent no code": "chidori.callAgent('notes.md')",
    "agent import": "chidori.callAgent('imports.ts')",
    "agent throws": "chidori.callAgent('throws.ts')",
    "agent too long": "chidori.callAgent('endless.ts')",
    "tool unknown": "chidori.tool('no')",
    "tool of no server": "chidori.tool('a__b')",
    "tool arguments": "chidori.tool('save', { text: 5, flag: null, more: true })",
    "tool no object": "chidori.tool('save', lie())",
    "tool throws": "chidori.tool('save', { text: 'x' })",
    "server that cannot start": "chidori.tool('gone__tool', {})",
    "server that dies": "chidori.tool('dies__tool', {})",
    "tools bent": "chidori.prompt('x', { tools: bent({ deep: 1 }) })",
    "tools unknown": "chidori.prompt('x', { tools: ['no'] })",
    "memory key": "chidori.memory('get', 'k'.repeat(100000))",
    "memory namespace": "chidori.memory('get', 'k', { namespace: 'k'.repeat(100000) })",
    "env unset": "chidori.env('NO_SUCH_VARIABLE_1')",
    "env name": "chidori.env('A=B')",
    "http scheme": "chidori.http('file:///etc/passwd')",
    "http host": "chidori.http('http://[::1')",
    "http port": "chidori.http('http://127.0.0.1:99999/')",
    "http private": "chidori.http('http://169.254.169.254/latest')",
    "http headers": "chidori.http('http://127.0.0.1:9/', { headers: lie() })",
    "http header": "chidori.http('http://127.0.0.1:9/', { headers: { 'a\\nb': 'c' } })",
    "http method": "chidori.http('http://127.0.0.1:9/', { method: 'A\\nB' })",
    "http timeout": "chidori.http('http://127.0.0.1:9/', { timeoutMs: -1 })",
    "json": "chidori.prompt('x', { format: 'json', strict: true })",
}


def project(folder: Path, call: str) -> Path:
    (folder / "folder.jinja").mkdir()
    (folder / "notes.md").write_bytes(b"\xff\xfe\x00")
    (folder / "link.jinja").symlink_to("/etc/passwd")
    (folder / "loop.ts").symlink_to("loop.ts")
    (folder / "tools").mkdir()
    write_agent(folder, "export async function agent( {", "broken.ts")
    write_agent(folder, "import x from '/etc/passwd'; export async function agent() { return x; }", "imports.ts")
    write_agent(folder, "export async function agent() { return (undefined as any).x; }", "throws.ts")
    write_agent(folder, "export async function agent() { return 1n; }", "endless.ts")
    write_agent(
        folder,
        """export const tool = { name: "save", description: "Saves.", parameters: { type: "object", properties: {
          text: { type: "string" }, flag: { type: "boolean" } }, additionalProperties: false } };
        export async function run(args: any) { throw new Error("the tool failed"); }""",
        "tools/save.ts",
    )
    return write_agent(folder, AGENT.replace("CALL", call))


DIES = """
import sys
print('the key is in', sys.argv[1], 'hunter2', file=sys.stderr)
raise KeyError(sys.argv[1])
"""


def environment(folder: Path) -> Mapping[str, str]:
    servers = {
        "gone": {"command": "/no/such/program", "args": []},
        "dies": {"command": sys.executable, "args": ["-c", DIES, str(folder)]},
    }
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    return {**LOCAL, "CHIDORI_MCP_CONFIG": str(config)}


def tells_nothing(texts: str, folder: Path) -> None:
    for path in (folder, PROJECT, Path.home(), Path(sys.prefix), Path(sys.base_prefix)):
        assert str(path) not in texts
    found = PYTHON.search(texts)
    assert found is None, f"{found[0] if found else ''} in {texts[:1000]}"


@pytest.mark.parametrize("name", CALLS)
async def test_an_error_tells_an_agent_nothing_of_this_machine(name: str, tmp_path: Path) -> None:
    path = project(tmp_path, CALLS[name])
    async with runtime_in(tmp_path, environment(tmp_path)) as runtime:
        output: Any = output_of(await within(60, start(runtime, path)))
    assert output.get("message"), output
    tells_nothing(json.dumps(output, ensure_ascii=False), tmp_path)


async def test_what_a_dying_server_wrote_is_in_the_record_and_not_in_the_error(tmp_path: Path) -> None:
    path = project(tmp_path, CALLS["server that dies"])
    async with runtime_in(tmp_path, environment(tmp_path)) as runtime:
        output = output_of(await within(60, start(runtime, path)))
        (record,) = records_of(runtime.store)
    assert "what it wrote on stderr is in the warnings of the call's record" in output["message"]
    assert "hunter2" not in json.dumps(output)
    (warning,) = record["warnings"]
    assert f"the key is in {tmp_path} hunter2" in warning
    assert "KeyError" in warning


async def test_a_sub_agent_beside_a_bad_template_does_not_tell_where_the_project_lies(tmp_path: Path) -> None:
    for folder in ("main", "other"):
        (tmp_path / folder).mkdir()
    write_agent(tmp_path, "export async function agent() { return 1; }", "other/sub.ts")
    (tmp_path / "other" / "bad.jinja").write_bytes(b"\xff")
    path = write_agent(tmp_path, AGENT.replace("CALL", "chidori.callAgent('../other/sub.ts')"), "main/agent.ts")
    async with runtime_in(tmp_path) as runtime:
        output = output_of(await start(runtime, path))
    assert "the template other/bad.jinja is not UTF-8" in output["message"]
    tells_nothing(json.dumps(output), tmp_path)


async def test_whether_a_file_outside_of_the_project_is_there_is_not_told(tmp_path: Path) -> None:
    messages = []
    for number, name in enumerate(("/etc/passwd", "/etc/no-such-file")):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = write_agent(folder, AGENT.replace("CALL", f"chidori.callAgent('{name}')"))
        async with runtime_in(folder) as runtime:
            messages.append(output_of(await start(runtime, path))["message"].replace(name, "X"))
    assert messages[0] == messages[1] == "the agent X lies outside of the project"


@pytest.mark.parametrize("model", ["gpt-4o-mini", "no-such-provider/model", "claude-sonnet-4-5"])
async def test_a_provider_that_fails_tells_nothing_either(model: str, tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT.replace("CALL", f"chidori.prompt('x', {{ model: '{model}' }})"))
    environ = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
    }
    async with runtime_in(tmp_path, environ) as runtime:
        output = output_of(await within(120, start(runtime, path)))
    assert output.get("message"), output
    tells_nothing(json.dumps(output, ensure_ascii=False), tmp_path)
