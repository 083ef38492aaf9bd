from dataclasses import replace
from pathlib import Path

import pytest

from chidori_actors.errors import ChidoriError, ManifestMismatch, SourceError, UsageError
from chidori_actors.languages.bundle import Bundle, compare
from chidori_actors.languages.loading import load_bundle
from chidori_actors.settings import ImportPolicy, RuntimePolicy

AGENT = "export async function agent(input: {}, chidori: any): Promise<number> {\n  return 1;\n}\n"


def project(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in {"package.json": "{}", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def load(root: Path, policy: ImportPolicy = "relative", entry: str = "agents/a.ts") -> Bundle:
    return load_bundle(root / entry, RuntimePolicy(typescript_imports=policy))


def using(specifier: str) -> str:
    return f'import x from "{specifier}";\nconsole.log(x);\n' + AGENT


def test_everything_reachable_is_loaded_with_the_entry_last(tmp_path: Path) -> None:
    files = {
        "agents/a.ts": 'import { f } from "./lib/f";\nimport type { T } from "./none";\nf();\n' + AGENT,
        "agents/lib/f.ts": (
            'import d from "../../data.json";\nexport { g } from "./g.js";\nexport const f = () => d;\n'
        ),
        "agents/lib/g.ts": 'import { f } from "./f";\nexport const g = () => f();\n',
        "data.json": '{"k": 1}',
    }
    bundle = load(project(tmp_path, dict(files)))
    assert [m.path for m in bundle.modules] == [
        *("data.json", "agents/lib/g.ts", "agents/lib/f.ts", "agents/a.ts"),
    ]
    assert bundle.module("agents/lib/f.ts").imports == (
        ("../../data.json", "data.json"),
        ("./g.js", "agents/lib/g.ts"),
    )
    manifest = bundle.manifest()
    assert manifest["entry"]["path"] == "agents/a.ts"
    assert [m["path"] for m in manifest["modules"]] == ["data.json", "agents/lib/g.ts", "agents/lib/f.ts"]
    assert {"specifier": "./lib/f", "resolved_path": "agents/lib/f.ts"} in manifest["module_graph"][-1]["imports"]


@pytest.mark.parametrize("specifier", ["./x", "./x.ts", "./x.js", "../agents/x", "./y", "./y/index", "./z", "chidori"])
def test_relative_specifiers_resolve(tmp_path: Path, specifier: str) -> None:
    text = "export default 1;"
    files: dict[str, str | bytes] = {
        "agents/a.ts": using(specifier),
        "agents/x.ts": text,
        "agents/y/index.ts": text,
        "agents/z.json": "1",
    }
    expected = {"./y": "agents/y/index.ts", "./y/index": "agents/y/index.ts", "./z": "agents/z.json"}
    expected["chidori"] = "chidori"
    bundle = load(project(tmp_path, files))
    assert bundle.module("agents/a.ts").imports == ((specifier, expected.get(specifier, "agents/x.ts")),)


def test_policies(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "agents/a.ts": using("/lib/x"),
        "agents/b.ts": using("./a"),
        "lib/x.ts": "export default 1",
    }
    root = project(tmp_path, files)
    assert load(root, "project").module("agents/a.ts").imports == (("/lib/x", "lib/x.ts"),)
    with pytest.raises(SourceError, match="CHIDORI_TS_IMPORTS is relative"):
        load(root, "relative")
    with pytest.raises(SourceError, match="CHIDORI_TS_IMPORTS is none"):
        load(root, "none", "agents/b.ts")


@pytest.mark.parametrize(
    ("specifier", "call"),
    [
        ("node:fs", "chidori.memory"),
        ("fs/promises", "chidori.memory"),
        ("axios", "chidori.http"),
        ("@anthropic-ai/sdk", "chidori.prompt"),
        ("openai/resources", "chidori.prompt"),
        ("child_process", "chidori.execJs"),
        ("left-pad", "chidori"),
        ("https://esm.sh/x", "chidori"),
    ],
)
def test_foreign_imports_name_the_call_to_use(tmp_path: Path, specifier: str, call: str) -> None:
    root = project(tmp_path, {"agents/a.ts": "// é\n" + using(specifier)})
    with pytest.raises(SourceError) as caught:
        load(root)
    assert (caught.value.path, caught.value.line, caught.value.column) == ("agents/a.ts", 2, 15)
    assert call in (caught.value.hint or "")


def test_a_missing_module_names_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load(project(tmp_path, {"agents/a.ts": "type A = 1;\n\n" + using("./gone")}))
    assert caught.value.line == 3
    assert "agents/gone.ts, agents/gone.js, agents/gone.json, agents/gone/index.ts" in str(caught.value)


def test_nothing_outside_the_project_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.ts").write_text("export default 1")
    root = project(tmp_path / "p", {"agents/a.ts": using("../../secret")})
    with pytest.raises(SourceError, match="outside the project"):
        load(root)
    (root / "agents/link.ts").symlink_to(tmp_path / "secret.ts")
    (root / "agents/a.ts").write_text(using("./link"))
    with pytest.raises(SourceError, match="outside the project"):
        load(root)


def test_dynamic_import_is_rejected_at_its_place(tmp_path: Path) -> None:
    text = 'type A = string;\nconst x: A = "import(y)"; // import(z)\n\n'
    source = text + 'export const agent = () =>   import("./x");\n'
    with pytest.raises(SourceError, match="dynamic import") as caught:
        load(project(tmp_path, {"agents/a.ts": source}))
    assert (caught.value.line, caught.value.column) == (4, 30)


@pytest.mark.parametrize("source", ["export default 1;", "", "function agent() {}\n", "export type agent = 1;"])
def test_a_file_without_the_export_says_what_to_write(tmp_path: Path, source: str) -> None:
    with pytest.raises(SourceError) as caught:
        load(project(tmp_path, {"agents/a.ts": source}))
    assert "export async function agent(input, chidori)" in (caught.value.hint or "")


def test_the_agent_may_be_re_exported(tmp_path: Path) -> None:
    load(project(tmp_path, {"agents/a.ts": 'export * from "./b";', "agents/b.ts": AGENT}))


def test_entries_that_cannot_be_agents(tmp_path: Path) -> None:
    project(tmp_path, {"agents/a.txt": "", "agents/bad.ts": b"let a;\n\xff"})
    with pytest.raises(UsageError, match="is a directory"):
        load(tmp_path, entry="agents")
    with pytest.raises(UsageError, match="no file"):
        load(tmp_path, entry="agents/none.ts")
    with pytest.raises(UsageError, match="no agent"):
        load(tmp_path, entry="agents/a.txt")
    with pytest.raises(SourceError, match=r"bad\.ts:2: the file is not UTF-8"):
        load(tmp_path, entry="agents/bad.ts")


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    bundle = load(project(tmp_path, {"agents/a.ts": b"\xef\xbb\xbf" + AGENT.encode()}))
    assert bundle.module("agents/a.ts").source == AGENT


def test_templates_are_collected(tmp_path: Path) -> None:
    files = ["x.jinja", "p/y.j2", "p/z.jinja2", "p/no.txt", ".h/n.j2", "node_modules/n.j2", "venv/n.j2"]
    project(tmp_path, {"agents/a.ts": AGENT, **{f"agents/{name}": "t" for name in files}})
    (tmp_path / "agents/venv/pyvenv.cfg").write_text("")
    (tmp_path / "agents/link.j2").symlink_to(tmp_path / "agents/x.jinja")
    assert load(tmp_path).templates == (("p/y.j2", "t"), ("p/z.jinja2", "t"), ("x.jinja", "t"))
    (tmp_path / "agents/big.j2").write_text("x" * 300_000)
    with pytest.raises(ChidoriError, match=r"big\.j2 is larger"):
        load(tmp_path)


def test_a_bundle_survives_its_json(tmp_path: Path) -> None:
    bundle = load(project(tmp_path, {"agents/a.ts": using("./x"), "agents/x.json": "[1]", "agents/t.j2": "é"}))
    again = Bundle.from_json(bundle.to_json())
    assert again == bundle
    assert again.hash == bundle.hash


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"entry":"a","modules":[],"templates":[]}', b'{"entry":1}'])
def test_a_mangled_bundle_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a source bundle"):
        Bundle.from_json(data)


def test_locate_gives_the_place_as_written(tmp_path: Path) -> None:
    bundle = load(project(tmp_path, {"agents/a.ts": "interface A {\n  b: 1;\n}\n\n" + AGENT}))
    assert bundle.locate("agents/a.ts", 2, 2) == (6, 3, "  return 1;")


def test_compare_reports_the_first_difference(tmp_path: Path) -> None:
    old = load(project(tmp_path, {"agents/a.ts": using("./x"), "agents/x.ts": "export default 1;"}))
    compare(old, old)
    *modules, entry = old.modules
    graph = replace(entry, imports=(("./x", "agents/y.ts"),))
    with pytest.raises(ManifestMismatch, match=r"^runtime snapshot module graph mismatch: snapshot has agents/"):
        compare(old, replace(old, modules=(*modules, graph)))
    changed = replace(modules[0], hash="sha256:1")
    text = f"runtime snapshot module mismatch: snapshot has agents/x.ts {modules[0].hash}, "
    with pytest.raises(ManifestMismatch) as caught:
        compare(old, replace(old, modules=(changed, graph)))
    assert str(caught.value) == text + "runtime has agents/x.ts sha256:1"
    edited = replace(entry, hash="sha256:2")
    text = f"runtime snapshot source mismatch: snapshot has agents/a.ts {entry.hash}, "
    with pytest.raises(ManifestMismatch) as caught:
        compare(old, replace(old, modules=(changed, edited)))
    assert str(caught.value) == text + "runtime has agents/a.ts sha256:2"
