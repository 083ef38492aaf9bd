"""``chidori tools``, ``chidori check`` of tools, and ``--tools``."""

import json
import sys
from pathlib import Path

import pytest

from .console import assert_refused, chidori, environment, run_program

AGENT = "export async function agent(input, chidori) { return input; }\n"
SEARCH = """export const tool = {
  name: "web_search",
  description: "Search the web.\\nBriefly.",
  parameters: {
    type: "object",
    properties: {
      query: { type: "string", description: "What to look for" },
      limit: { type: "integer", default: 10 },
      filters: { type: "array", items: { type: "object", properties: { name: { enum: ["a", "b"] } } } },
    },
    required: ["query"],
  },
};
export async function run(args: { query: string }, chidori: any) { return args; }
"""
SHOWN = """web_search  (tools/search.ts)
  Search the web.
  Briefly.
    query           string, required     What to look for
    limit           integer, default 10
    filters         object[]
    filters[].name  "a" | "b"
"""
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/search.ts").write_text(SEARCH)
    (tmp_path / "tools/helper.ts").write_text("export const helper = 1;\n")
    (tmp_path / "agent.ts").write_text(AGENT)
    return tmp_path


def minimal(name: str) -> str:
    return f'export const tool = {{ name: "{name}", description: "Does {name}." }};\nexport const run = () => 1;\n'


@pytest.mark.parametrize("arguments", [(), ("agent.ts",), ("-d", "tools")])
def test_tools_are_listed_with_their_parameters(folder: Path, arguments: tuple[str, ...]) -> None:
    result = chidori(folder, "tools", *arguments)
    assert (result.stdout, result.stderr, result.returncode) == (SHOWN, "", 0)
    assert not (folder / ".chidori").exists()


def test_without_tools_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text(AGENT)
    assert chidori(tmp_path, "tools", "agent.ts").stdout == "no tools\n"
    assert chidori(tmp_path, "tools").stdout == "no tools\n"


def test_scripts_get_the_whole_schemas_as_json(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more/m.ts").write_text(minimal("more"))
    result = chidori(folder, "tools", "agent.ts", "-d", "more", "--json")
    document = json.loads(result.stdout)
    assert [(tool["name"], tool["path"]) for tool in document["tools"]] == [
        ("more", "more/m.ts"),
        ("web_search", "tools/search.ts"),
    ]
    assert document["tools"][0]["parameters"] == {"type": "object", "properties": {}}
    assert document["tools"][1]["parameters"]["properties"]["filters"]["items"]["properties"]["name"] == {
        "enum": ["a", "b"]
    }
    assert (document["broken"], document["failed_servers"], result.returncode) == ([], [], 0)


def test_broken_tools_are_told_on_stderr(folder: Path) -> None:
    (folder / "tools/bad.ts").write_text("type A = 1;\nexport const tool = [;\n")
    (folder / "tools/kind.ts").write_text(
        minimal("kind").replace("};", ', parameters: { type: "object", properties: { a: { type: "strin" } } } };', 1)
    )
    result = chidori(folder, "tools")
    assert (result.stdout, result.returncode) == (SHOWN, 1)
    assert result.stderr.startswith("Error: tools/bad.ts:2:22: ")
    assert "Error: tools/kind.ts: " in result.stderr
    assert '`properties.a.type`: "strin" is not valid' in result.stderr
    listed = chidori(folder, "tools", "--json")
    assert [broken["name"] for broken in json.loads(listed.stdout)["broken"]] == ["bad", "kind"]
    assert listed.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("tools", "-d", "nowhere"), "there is no tools directory nowhere"),
        (("tools", "nowhere.ts"), "there is no file nowhere.ts"),
        (("run", "agent.ts", "--tools", "nowhere"), "there is no tools directory nowhere"),
        (("run", "agent.ts", "--tools", "agent.ts"), "agent.ts is a file"),
    ],
)
def test_what_is_not_there_is_refused(folder: Path, arguments: tuple[str, ...], text: str) -> None:
    assert_refused(chidori(folder, *arguments), 2, text)


def test_a_resume_refuses_a_tools_directory_that_is_not_there(folder: Path) -> None:
    assert chidori(folder, "run", "agent.ts").returncode == 0
    run_id = json.loads(chidori(folder, "runs", "--json").stdout)["runs"][0]["id"]
    result = chidori(folder, "resume", "agent.ts", run_id, "--tools", "nowhere")
    assert_refused(result, 2, "there is no tools directory nowhere")


def test_terminal_escapes_in_a_description_are_not_shown(folder: Path) -> None:
    (folder / "tools/x.ts").write_text(minimal("x").replace("Does x.", "a\\u001b[2Jb"))
    assert "\x1b" not in chidori(folder, "tools").stdout


def test_mcp_servers_are_asked_and_one_that_fails_is_named(folder: Path) -> None:
    servers = {
        "calc": {
            "command": sys.executable,
            "args": ["-m", "tests.support.mcp_server"],
            "cwd": str(REPOSITORY),
        },
        "gone": {"command": str(folder / "no-such-program")},
    }
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    env = environment(folder, CHIDORI_MCP_CONFIG="mcp.json")
    result = chidori(folder, "tools", env=env)
    assert result.stdout.startswith(SHOWN)
    assert "calc__add  (MCP server calc)\n" in result.stdout
    assert "Error: " in result.stderr
    assert "`gone`" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
    document = json.loads(chidori(folder, "tools", "--json", env=env).stdout)
    served = {tool["name"]: tool for tool in document["tools"] if tool.get("server") == "calc"}
    assert served["calc__add"]["parameters"]["required"] == ["a", "b"]
    assert [failed["name"] for failed in document["failed_servers"]] == ["gone"]


def test_a_run_whose_mcp_configuration_cannot_be_read_is_not_stored(folder: Path) -> None:
    (folder / "mcp.json").write_text('{"mcpServers": {"x": {"command": "x", "env": {"A": "${NOT_SET}"}}}}')
    env = environment(folder, CHIDORI_MCP_CONFIG="mcp.json")
    assert_refused(chidori(folder, "run", "agent.ts", env=env), 2, "`mcpServers.x.env.A`", "NOT_SET")
    assert chidori(folder, "runs").stdout == "no runs\n"


def test_a_replay_reads_no_mcp_configuration(folder: Path) -> None:
    assert chidori(folder, "run", "agent.ts", "-i", "a=1").returncode == 0
    run_id = json.loads(chidori(folder, "runs", "--json").stdout)["runs"][0]["id"]
    env = environment(folder, CHIDORI_MCP_CONFIG="nowhere.json")
    assert chidori(folder, "verify", run_id, env=env).stdout == f"OK: {run_id}\n"
    assert json.loads(chidori(folder, "replay", run_id, env=env).stdout) == {"a": "1"}


def test_an_unreadable_mcp_configuration_leaves_a_failed_run_as_it_is(folder: Path) -> None:
    (folder / "agent.ts").write_text(
        'export async function agent(input, chidori) { return await chidori.callAgent("late.ts", {}); }\n'
    )
    assert chidori(folder, "run", "agent.ts").returncode == 1
    run_id = json.loads(chidori(folder, "runs", "--json").stdout)["runs"][0]["id"]
    env = environment(folder, CHIDORI_MCP_CONFIG="nowhere.json")
    for arguments in (("resume", "agent.ts", run_id), ("branch", run_id, "--at", "1", "--result", "1")):
        assert_refused(chidori(folder, *arguments, env=env), 2, "nowhere.json")
    [left] = json.loads(chidori(folder, "runs", "--json").stdout)["runs"]
    assert (left["id"], left["status"]) == (run_id, "failed")


def test_a_sound_tool_is_ok(folder: Path) -> None:
    result = chidori(folder, "check", "tools/search.ts")
    assert (result.stdout, result.stderr, result.returncode) == ("OK: tools/search.ts\n", "", 0)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('export const tool = { name: "x", description: "d" };\n', ["tools/x.ts: ", "but no `run`", "write: export"]),
        (minimal("x") + "chidori.log('x');\n", ["tools/x.ts:3:", "a host call (`log`)", "make the call in `run`"]),
        (minimal("a__b"), ["tools/x.ts:1:14: ", "two underscores"]),
        (
            minimal("x").replace("};", ', parameters: { type: "object", required: ["a", "a"] } };', 1),
            ["tools/x.ts: ", 'no JSON Schema: `required`: ["a", "a"] has non-unique elements'],
        ),
    ],
)
def test_check_names_a_tools_fault_with_its_place(folder: Path, source: str, texts: list[str]) -> None:
    (folder / "tools/x.ts").write_text(source)
    assert_refused(chidori(folder, "check", "tools/x.ts"), 2, *texts)
    # An agent is checked with the tools beside it.
    assert_refused(chidori(folder, "check", "agent.ts"), 2, texts[0], texts[1])


def test_an_agent_with_sound_tools_is_ok(folder: Path) -> None:
    assert chidori(folder, "check", "agent.ts").stdout == "OK: agent.ts\n"


def test_a_run_that_validates_nothing_does_not_load_the_validator(folder: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from chidori_actors.agent_source import load_agent\n"
        "from chidori_actors.host.toolbox import Toolbox\n"
        "from chidori_actors.settings import RuntimePolicy\n"
        "bundle = load_agent(Path('agent.ts'), RuntimePolicy())\n"
        "Toolbox(bundle.tools, bundle.broken_tools, None)\n"
        "print(len(bundle.tools), sorted({'jsonschema', 'mcp', 'litellm', 'aiohttp'} & set(sys.modules)))\n"
    )
    result = run_program(folder, program)
    assert (result.stdout, result.stderr) == ("1 []\n", "")


def test_tools_in_starlark_are_listed_and_checked(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/_shared.star").write_text("LIMIT = 5\n")
    (tmp_path / "tools/search.star").write_text(
        'load("_shared.star", "LIMIT")\ndef search(query, limit = 5):\n  """Finds."""\n  return [query] * LIMIT\n'
    )
    shown = chidori(tmp_path, "tools")
    assert shown.stdout.splitlines()[:2] == ["search  (tools/search.star)", "  Finds."]
    assert (shown.stderr, chidori(tmp_path, "check", "tools/search.star").stdout) == ("", "OK: tools/search.star\n")
    (tmp_path / "tools/search.star").write_text("def search(query): pass\n")
    assert "tools/search.star:1:1: the tool `search` has no docstring" in chidori(tmp_path, "tools").stderr
