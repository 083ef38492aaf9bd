"""Tools from disk: which files they are, what they say of themselves, what a bundle keeps of them."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from chidori_actors.agent_source import FoundTools, check_schemas, load_agent, load_tools
from chidori_actors.errors import ManifestMismatch, SourceError, UsageError
from chidori_actors.languages.bundle import BrokenTool, Bundle, Tool, compare
from chidori_actors.languages.loading import load_bundle
from chidori_actors.languages.tool_files import tool_files
from chidori_actors.settings import RuntimePolicy

POLICY = RuntimePolicy()
AGENT = "export async function agent(input: {}, chidori: any) { return 1; }\n"
RUN = "export async function run(args: {}, chidori: any) { return args; }\n"


def tool_source(name: str, more: str = "") -> str:
    return f'export const tool = {{ name: "{name}", description: "Says {name}."{more} }};\n{RUN}'


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(root: Path, files: dict[str, str], *folders: str) -> FoundTools:
    write(root, {"package.json": "{}", **files})
    return load_tools([root / folder for folder in folders or ("tools",)], POLICY)


def one_fault(root: Path, source: str) -> str:
    loaded = found(root, {"tools/it.ts": source})
    assert loaded.tools == ()
    (broken,) = loaded.broken
    assert (broken.name, broken.path) == ("it", "tools/it.ts")
    assert "\n" not in broken.reason
    return broken.reason


def agent_in(root: Path, files: dict[str, str], tools: tuple[Path, ...] = ()) -> Bundle:
    write(root, {"package.json": "{}", "a.ts": AGENT, **files})
    return load_agent(root / "a.ts", POLICY, tools)


def test_only_plain_source_files_directly_in_the_directory_may_be_tools(tmp_path: Path) -> None:
    names = ["b.ts", "b.js", "a.js", "c.d.ts", "c.test.ts", ".h.ts", "notes.md", "data.json", "deep/d.ts", "dir.ts/x"]
    write(tmp_path, dict.fromkeys(names, ""))
    assert [path.name for path in tool_files(tmp_path)] == ["a.js", "b.ts", "b.js"]


def test_a_definition_keeps_the_whole_schema_in_the_order_of_the_source(tmp_path: Path) -> None:
    parameters = {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Wörter ✓"},
            "filters": {"type": "array", "items": {"type": "object", "properties": {"k": {"enum": ["a", 1, None]}}}},
            "limit": {"type": "integer", "default": 10},
        },
        "required": ["query"],
    }
    text = orjson.dumps(parameters).decode()
    (tool,) = found(tmp_path, {"tools/x.ts": tool_source("search", f", parameters: {text}, strict: true")}).tools
    assert tool.name == "search"
    assert tool.definition == f'{{"name":"search","description":"Says search.","parameters":{text}}}'


def test_without_parameters_a_tool_takes_none(tmp_path: Path) -> None:
    (tool,) = found(tmp_path, {"tools/x.js": tool_source("x").replace(": {}", "").replace(": any", "")}).tools
    assert orjson.loads(tool.definition)["parameters"] == {"type": "object", "properties": {}}


def test_metadata_may_be_computed_and_imported_and_is_the_same_each_time(tmp_path: Path) -> None:
    files = {
        "lib/name.ts": 'export const name: string = "computed";',
        "tools/shared.ts": 'import { name } from "../lib/name";\n'
        "export const tool = { name, description: describe() };\n"
        "function describe() { return `${Date.now()} ${Math.random()}`; }",
        "tools/x.ts": f'export {{ tool }} from "./shared";\n{RUN}',
    }
    first = found(tmp_path, files)
    assert [tool.name for tool in first.tools] == ["computed"]
    assert [module.path for module in first.tools[0].bundle.modules] == ["lib/name.ts", "tools/shared.ts", "tools/x.ts"]
    assert "the file exports `tool` but no `run`" in first.broken[0].reason
    assert found(tmp_path, files) == first


def test_a_helper_beside_the_tools_is_ignored_even_with_faults(tmp_path: Path) -> None:
    files = {
        "tools/helper.ts": 'import axios from "axios"; export const get = () => axios;',
        "tools/other.ts": AGENT.replace("agent", "walk"),
        "tools/agent.ts": AGENT + RUN,
    }
    assert found(tmp_path, files) == FoundTools((), ())


def test_templates_beside_a_tool_are_in_its_bundle(tmp_path: Path) -> None:
    (tool,) = found(tmp_path, {"tools/x.ts": tool_source("x"), "tools/p/y.jinja": "hello", "z.jinja": "no"}).tools
    assert tool.bundle.templates == (("p/y.jinja", "hello"),)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('export const tool = { name: "x", description: "d" };', "tools/it.ts: the file exports `tool` but no `run`"),
        (RUN, "tools/it.ts: the file exports `run` but no `tool` (write: export const tool = {"),
        ("\nexport const tool = [;\n" + RUN, "tools/it.ts:2:22: Unexpected `;`"),
        ('import a from "axios";\nexport const tool = a;\n' + RUN, 'tools/it.ts:1:15: "axios" cannot be imported'),
        ('import a from "./gone";\nexport const tool = a;\n' + RUN, 'tools/it.ts:1:15: "./gone" was not found'),
        ('type A = 1;\nthrow new Error("no\\nway");\n' + tool_source("x"), "tools/it.ts:2:7: no way"),
        ("const a: any = null;\na.b();\n" + tool_source("x"), "tools/it.ts:2:3: TypeError: cannot read property 'b'"),
        ('type A = 1;\n\nchidori.log("x");\n' + tool_source("x"), "tools/it.ts:3:"),
        ('await chidori.env("HOME");\n' + tool_source("x"), "a host call (`env`) outside of functions"),
        ("setTimeout(() => 1, 5);\n" + tool_source("x"), "outside of functions: a tool that is loaded has no host"),
        ("while (true);\n" + tool_source("x"), "tools/it.ts: the code outside of functions ran for 2 s"),
        ("await new Promise(() => {});\n" + tool_source("x"), "waits for something that never happens"),
        ("export const tool = 5;\n" + RUN, "tools/it.ts:1:14: `tool` must be an object"),
        ("export const tool = () => 5;\n" + RUN, "tools/it.ts:1:14: tool is a function, which JSON cannot carry"),
        ('export const run = 1; export const tool = { name: "x", description: "d" };', "`run` is not a function"),
        (tool_source("a b"), "`tool.name` must be 1 to 64 of A-Z a-z 0-9 _ -"),
        (tool_source("ä"), "`tool.name` must be 1 to 64"),
        (tool_source("x" * 65), "`tool.name` must be 1 to 64"),
        (tool_source("x\\n"), "`tool.name` must be 1 to 64"),
        (tool_source("a__b"), "`tool.name` is 'a__b': two underscores are for the tools of MCP servers"),
        (f'export const tool = {{ name: "x", description: " " }};\n{RUN}', "`tool.description` must be a text"),
        (tool_source("x", ", params: {}"), "`tool.parameters` is missing and `tool.params` is not known"),
        (tool_source("x", ", parameters: []"), "`tool.parameters` must be a JSON Schema object"),
        (tool_source("x", ", parameters: null"), "`tool.parameters` must be a JSON Schema object"),
        (tool_source("x", ", parameters: { properties: {} }"), '`tool.parameters.type` must be "object"'),
        (tool_source("x", ', parameters: { type: "object", properties: [] }'), "`tool.parameters.properties` must be"),
        (tool_source("x", ', parameters: { type: "object", properties: { a: "string" } }'), "properties.a` must be"),
        (tool_source("x", ', parameters: { type: "object", required: true }'), "`tool.parameters.required` must be"),
        (tool_source("x", ", resources: 2"), "`tool.resources` must be an object: { cpus, gpus, custom }"),
        (tool_source("x", ", resources: { gpu: 1 }"), "`tool.resources` has 'gpu'; known are cpus, gpus and custom"),
        (tool_source("x", ", resources: { gpus: -1 }"), "`tool.resources` has -1 for gpus: it must be a number"),
        (tool_source("x", ", resources: { custom: { tpu: true } }"), "`tool.resources` has True for tpu"),
        (tool_source("x", ", parameters: { f: () => 1 }"), "tool.parameters.f is a function, which JSON cannot carry"),
    ],
)
def test_a_broken_tool_file_is_told_with_its_place(tmp_path: Path, source: str, reason: str) -> None:
    assert reason in one_fault(tmp_path, source)


def test_a_template_that_cannot_be_taken_along_breaks_the_tool(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/t.jinja").write_bytes(b"\xff")
    assert "t.jinja is not UTF-8" in one_fault(tmp_path, tool_source("x"))


def test_of_two_files_with_one_name_the_second_is_broken(tmp_path: Path) -> None:
    loaded = found(tmp_path, {"tools/a.ts": tool_source("same"), "tools/b.ts": tool_source("same")})
    assert [tool.bundle.entry for tool in loaded.tools] == ["tools/a.ts"]
    assert loaded.broken == (BrokenTool("b", "tools/b.ts", "tools/b.ts: the name `same` is taken by a.ts"),)


def test_a_later_directory_overrides_by_name(tmp_path: Path) -> None:
    files = {
        "tools/a.ts": tool_source("one"),
        "tools/b.ts": tool_source("two"),
        "more/z.ts": tool_source("one"),
        "last/q.ts": tool_source("three"),
    }
    loaded = found(tmp_path, files, "tools", "more", "last")
    assert [(tool.name, tool.bundle.entry) for tool in loaded.tools] == [
        ("one", "more/z.ts"),
        ("three", "last/q.ts"),
        ("two", "tools/b.ts"),
    ]
    assert [tool.bundle.entry for tool in found(tmp_path, {}, "more", "tools").tools] == ["tools/a.ts", "tools/b.ts"]


def test_a_broken_file_does_not_let_the_tool_run_that_it_was_to_override(tmp_path: Path) -> None:
    files = {"tools/pay.ts": tool_source("pay"), "more/pay.ts": "export const tool = {;\n"}
    loaded = found(tmp_path, files, "tools", "more")
    assert loaded.tools == ()
    assert [broken.path for broken in loaded.broken] == ["more/pay.ts"]
    assert [tool.bundle.entry for tool in found(tmp_path, {}, "more", "tools").tools] == ["tools/pay.ts"]


def test_a_directory_that_is_named_twice_is_no_fault(tmp_path: Path) -> None:
    loaded = found(tmp_path, {"tools/a.ts": tool_source("a"), "tools/b.ts": "export const tool = ;"}, "tools", "tools")
    assert [tool.name for tool in loaded.tools] == ["a"]
    assert [broken.name for broken in loaded.broken] == ["b"]


def test_an_agent_has_the_tools_beside_it_and_the_named_ones(tmp_path: Path) -> None:
    files = {"tools/b.ts": tool_source("beside"), "tools/bad.ts": RUN, "more/m.ts": tool_source("more")}
    bundle = agent_in(tmp_path, files, (tmp_path / "more",))
    assert [tool.name for tool in bundle.tools] == ["beside", "more"]
    assert [broken.name for broken in bundle.broken_tools] == ["bad"]


def test_a_tools_directory_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert agent_in(tmp_path, {}).tools == ()
    with pytest.raises(UsageError, match=r"there is no tools directory .*nowhere"):
        agent_in(tmp_path, {}, (tmp_path / "nowhere",))
    with pytest.raises(UsageError, match=r"a\.ts is a file"):
        agent_in(tmp_path, {}, (tmp_path / "a.ts",))


def test_without_a_project_mark_a_tool_may_import_what_lies_beside_its_directory(tmp_path: Path) -> None:
    source = f'import {{ name }} from "../lib";\nexport const tool = {{ name, description: "d" }};\n{RUN}'
    write(tmp_path, {"a.ts": AGENT, "lib.ts": 'export const name = "n";', "tools/x.ts": source})
    (tool,) = load_agent(tmp_path / "a.ts", POLICY).tools
    assert (tool.name, tool.bundle.entry) == ("n", "tools/x.ts")


def test_a_fault_of_the_agent_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="exports no function agent"):
        agent_in(tmp_path, {"a.ts": "", "tools/x.ts": tool_source("x")})


def test_schemas_are_looked_at_as_a_whole_when_asked(tmp_path: Path) -> None:
    files = {
        "tools/sound.ts": tool_source("sound", ', parameters: { type: "object", $defs: { a: {} } }'),
        "tools/type.ts": tool_source("type", ', parameters: { type: "object", properties: { a: { type: "strin" } } }'),
        "tools/far.ts": tool_source(
            "far", ', parameters: { type: "object", properties: { a: { $ref: "http://127.0.0.1:9/x.json" } } }'
        ),
        "tools/no.ts": RUN,
    }
    loaded = found(tmp_path, files)
    assert [tool.name for tool in loaded.tools] == ["far", "sound", "type"]
    checked = check_schemas(loaded)
    assert [tool.name for tool in checked.tools] == ["sound"]
    no, far, kind = checked.broken
    assert no == loaded.broken[0]
    assert far.reason.startswith("tools/far.ts: ")
    assert '"http://127.0.0.1:9/x.json" is not in the schema, and nothing is fetched' in far.reason
    assert '`properties.a.type`: "strin" is not valid' in kind.reason


def test_a_bundle_with_tools_survives_its_json(tmp_path: Path) -> None:
    bundle = agent_in(tmp_path, {"tools/x.ts": tool_source("x"), "tools/t.j2": "é", "tools/bad.ts": RUN})
    again = Bundle.from_json(bundle.to_json())
    assert again == bundle
    assert (again.hash, again.tools[0].bundle.templates) == (bundle.hash, (("t.j2", "é"),))


def test_a_bundle_without_tools_is_written_as_before_there_were_any(tmp_path: Path) -> None:
    bundle = agent_in(tmp_path, {})
    assert set(orjson.loads(bundle.to_json())) == {"entry", "modules", "templates"}
    assert bundle.to_json() == load_bundle(tmp_path / "a.ts", POLICY).to_json()


@pytest.mark.parametrize(
    "more",
    [
        {"tools": 1},
        {"tools": [{"name": "x", "definition": "{}"}]},
        {"tools": [{"name": "x", "definition": {}, "bundle": {}}]},
        {"broken_tools": [{"name": "x"}]},
    ],
)
def test_mangled_tools_are_a_value_error(tmp_path: Path, more: dict[str, object]) -> None:
    value = orjson.loads(agent_in(tmp_path, {}).to_json())
    with pytest.raises(ValueError, match="not a source bundle"):
        Bundle.from_json(orjson.dumps(value | more))


def test_compare_reports_changed_added_and_removed_tools(tmp_path: Path) -> None:
    old = agent_in(tmp_path, {"tools/x.ts": tool_source("x"), "tools/bad.ts": RUN})
    compare(old, replace(old, broken_tools=()))
    (tool,) = old.tools
    digest = tool.bundle.module("tools/x.ts").hash
    before = "runtime snapshot module mismatch: snapshot has tools/x.ts "

    with pytest.raises(ManifestMismatch) as removed:
        compare(old, replace(old, tools=()))
    assert str(removed.value) == f"{before}{digest}, runtime has tools/x.ts none"
    assert "the tool `x`: give the same --tools as at the start" in (removed.value.hint or "")

    with pytest.raises(ManifestMismatch) as added:
        compare(replace(old, tools=()), old)
    assert str(added.value) == f"{before}none, runtime has tools/x.ts {digest}"

    module = replace(tool.bundle.modules[0], hash="sha256:1")
    changed = Tool(tool.name, tool.definition, replace(tool.bundle, modules=(module,)))
    with pytest.raises(ManifestMismatch) as edited:
        compare(old, replace(old, tools=(changed,)))
    assert str(edited.value) == f"{before}{digest}, runtime has tools/x.ts sha256:1"


def test_compare_reports_another_module_graph_of_a_tool(tmp_path: Path) -> None:
    old = agent_in(tmp_path, {"tools/x.ts": 'import "./h";\n' + tool_source("x"), "tools/h.ts": "export const a = 1;"})
    (tool,) = old.tools
    helper, entry = tool.bundle.modules
    other = replace(tool.bundle, modules=(helper, replace(entry, imports=(("./h", "tools/i.ts"),))))
    with pytest.raises(ManifestMismatch, match=r"^runtime snapshot module graph mismatch: snapshot has tools/x\.ts {"):
        compare(old, replace(old, tools=(replace(tool, bundle=other),)))


def test_a_helper_that_cannot_be_read_is_no_broken_tool(tmp_path: Path) -> None:
    assert found(tmp_path, {"tools/helper.ts": "export const get = [;\n"}) == FoundTools((), ())


def test_tool_and_run_may_come_from_other_modules(tmp_path: Path) -> None:
    files = {"tools/x.ts": 'export * from "../impl";\n', "impl.ts": tool_source("far")}
    (tool,) = found(tmp_path, files).tools
    assert (tool.name, tool.bundle.entry) == ("far", "tools/x.ts")
