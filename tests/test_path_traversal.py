"""Paths that lead elsewhere: none of them gives an agent, a client or a checkpoint a file that is not theirs."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from yarl import URL

from chidori_actors.agent_source import load_agent
from chidori_actors.assembly import root_of
from chidori_actors.errors import ChidoriError, SourceError, UsageError
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.runs import get_run
from chidori_actors.languages.bundle import Bundle
from chidori_actors.session.attendance import Attendance
from chidori_actors.settings import ImportPolicy, RuntimePolicy
from chidori_actors.transfer import export_run, import_checkpoint
from tests.cli.console import assert_refused, chidori, environment, run_id_of
from tests.front_door.serving import serving
from tests.support.agents import LOCAL, output_of, pause_of, runtime_in, start, within, write_agent
from tests.support.services import ScriptedQuestions
from tests.support.starlark import text_of

SECRET = "what-nobody-may-read"
SECONDS = 30
RUN = "test-run"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project; what lies beside it is outside, and links, pipes and devices in it lead there."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    agent = f'export async function agent() {{ return "{SECRET}"; }}\nexport const x = "{SECRET}";\n'
    for name, text in (("s.md", SECRET), ("s.jinja", SECRET), ("s.ts", agent), ("s.json", f'"{SECRET}"')):
        (outside / name).write_text(text)
        (project / f"link-{name}").symlink_to(outside / name)
    (outside / "s.star").write_text(f'x = "{SECRET}"\ndef agent(): return x\n')
    (project / "link-s.star").symlink_to(outside / "s.star")
    (project / "below").symlink_to(outside)
    for suffix in ("md", "ts", "jinja", "star"):
        (project / f"zero.{suffix}").symlink_to("/dev/zero")
        os.mkfifo(project / f"pipe.{suffix}")
        (project / f"folder.{suffix}").mkdir()
        (project / f"loop.{suffix}").symlink_to(project / f"loop.{suffix}")
    return project


def ways_to(suffix: str, outside: str) -> list[str]:
    """Paths of a file outside of the project, and of what is no file."""
    name = f"s.{suffix}"
    return [
        f"../outside/{name}",
        f"./../outside/{name}",
        f"folder.{suffix}/../../outside/{name}",
        f"{outside}/{name}",
        f"//{outside}/{name}",
        f"..\\outside\\{name}",
        f"C:\\outside\\{name}",
        f"C:{name}",
        f"\\\\host\\share\\{name}",
        f"%2e%2e/outside/{name}",
        f"..%2foutside%2f{name}",
        f"%252e%252e/outside/{name}",
        f"．．/outside/{name}",
        f"‥/outside/{name}",
        f"..／outside／{name}",
        f"../outside/{name}\0",
        f"x\0.{suffix}",
        f"../outside/{name}\n",
        f"link-{name}",
        f"below/{name}",
        f"file://{outside}/{name}",
        f"~/{name}",
        "/etc/passwd",
        "/proc/self/environ",
        f"zero.{suffix}",
        f"pipe.{suffix}",
        f"folder.{suffix}",
        f"loop.{suffix}",
        f"{'a' * 300}.{suffix}",
        f"{'a/' * 5000}x.{suffix}",
        "../" * 50 + "etc/passwd",
        "..",
        "",
    ]


async def errors_of(folder: Path, call: str, paths: list[str]) -> list[str]:
    """What an agent is told that calls that for each path; ``call`` is JavaScript of ``path``."""
    source = f"""export async function agent(input: any, chidori: any) {{
  const told = [];
  for (const path of input.paths) told.push(await chidori.tryCall(() => {call}));
  return told;
}}"""
    main = write_agent(folder, source)
    async with runtime_in(folder.parent) as runtime:
        told = output_of(await within(SECONDS, start(runtime, main, {"paths": paths}, run_id=str(uuid.uuid4()))))
    assert SECRET not in orjson.dumps(told).decode()
    for path, outcome in zip(paths, told, strict=True):
        assert outcome["ok"] is False or (
            call.startswith("chidori.template") and outcome["value"] in (path, path.rstrip("\n"))
        ), path
    return [outcome.get("error", "") for outcome in told]


def leaks(errors: list[str], folder: Path, asked: list[str]) -> list[str]:
    """Errors that tell an agent where its project lies, unless it said so itself, or that Python wrote."""
    telling = ("Errno", "embedded null", "Symlink loop", "subpath", "Traceback", "<class")
    return [
        error
        for error, path in zip(errors, asked, strict=True)
        if any(text in error for text in telling) or str(folder.parent) in error.replace(path, "")
    ]


# -- what agents name -------------------------------------------------------------------------------------------------


async def test_templates_are_read_from_below_the_agent_s_folder_alone(folder: Path) -> None:
    for suffix in ("md", "jinja"):
        asked = ways_to(suffix, str(folder.parent / "outside"))
        assert leaks(await errors_of(folder, "chidori.template(path, {})", asked), folder, asked) == []


async def test_templates_that_include_or_import_others_are_held_to_the_same(folder: Path) -> None:
    paths = ways_to("md", str(folder.parent / "outside"))
    quoted = [orjson.dumps(path).decode() for path in paths]
    for shape in ("{%% include %s %%}", "{%% extends %s %%}", "{%% import %s as other %%}{{ other }}"):
        errors = await errors_of(folder, "chidori.template(path, {})", [shape % path for path in quoted])
        assert all(errors)


async def test_sub_agents_are_found_in_the_project_alone(folder: Path) -> None:
    asked = ways_to("ts", str(folder.parent / "outside"))
    errors = await errors_of(folder, "chidori.callAgent(path)", asked)
    assert leaks(errors, folder, asked) == []
    at = dict(zip(asked, errors, strict=True))
    assert at["../outside/s.ts"] == "the agent ../outside/s.ts lies outside of the project"
    assert at["loop.ts"] == "there is no agent loop.ts (looked in ./)"


async def test_whether_a_file_outside_exists_is_not_told(folder: Path) -> None:
    """Otherwise an agent could look around on the disk, a path at a time."""
    asked = ["../outside/s.ts", "../outside/missing.ts", "/etc/passwd", "/etc/there-is-no-such"]
    for call in ("chidori.callAgent(path)", "chidori.template(path, {})"):
        errors = await errors_of(folder, call, asked)
        [there, absent, passwd, none] = [error.replace(path, "P") for error, path in zip(errors, asked, strict=True)]
        assert there == absent
        assert passwd == none


async def test_an_error_of_a_sub_agent_does_not_tell_where_the_project_lies(folder: Path) -> None:
    (folder / "notes.txt").write_text("no agent")
    (folder / "imports.ts").write_text('import { x } from "../outside/s"; export async function agent() { return x; }')
    (folder / "reads.star").write_text('load("../outside/s.star", "x")\ndef agent(): return x\n')
    (folder / "latin.ts").write_bytes(b"// caf\xe9\n")
    asked = ["notes.txt", "imports.ts", "reads.star", "latin.ts"]
    assert leaks(await errors_of(folder, "chidori.callAgent(path)", asked), folder, asked) == []


@pytest.mark.parametrize("policy", ["none", "relative", "project"])
def test_modules_are_taken_from_the_project_alone(policy: ImportPolicy, folder: Path) -> None:
    for specifier in ways_to("ts", str(folder.parent / "outside")) + ways_to("json", str(folder.parent / "outside")):
        quoted = orjson.dumps(specifier).decode()
        # An import of what is not used is no import in TypeScript.
        for text, value in (
            (f"import {{ x }} from {quoted};", "x"),
            (f"export * from {quoted};", 1),
            (f"import {quoted};", 1),
        ):
            write_agent(folder, f"{text}\nexport async function agent() {{ return {value}; }}\n")
            with pytest.raises(SourceError) as refused:
                load_agent(folder / "agent.ts", RuntimePolicy(typescript_imports=policy))
            assert SECRET not in str(refused.value)


@pytest.mark.parametrize("policy", ["none", "relative", "project"])
def test_starlark_loads_from_the_project_alone(policy: ImportPolicy, folder: Path) -> None:
    for file in ways_to("star", str(folder.parent / "outside")):
        quoted = orjson.dumps(file).decode()
        write_agent(folder, f'load({quoted}, "x")\ndef agent(): return x\n', "agent.star")
        with pytest.raises(SourceError) as refused:
            load_agent(folder / "agent.star", RuntimePolicy(typescript_imports=policy))
        assert SECRET not in str(refused.value)


async def test_a_link_inside_of_the_project_can_be_used(folder: Path) -> None:
    """The tests above would pass if nothing could be read at all."""
    (folder / "real.md").write_text("inside")
    (folder / "to-real.md").symlink_to(folder / "real.md")
    (folder / "kid.ts").write_text("export async function agent() { return 'inside'; }")
    (folder / "to-kid.ts").symlink_to(folder / "kid.ts")
    main = write_agent(
        folder,
        """export async function agent(input: any, chidori: any) {
          return [await chidori.template("to-real.md", {}), await chidori.callAgent("to-kid.ts")];
        }""",
    )
    async with runtime_in(folder.parent) as runtime:
        assert output_of(await start(runtime, main)) == ["inside", "inside"]


def test_pipes_devices_and_folders_beside_an_agent_hold_nobody(folder: Path) -> None:
    (folder / "tools").mkdir()
    for name in ("zero.ts", "pipe.ts", "folder.ts", "loop.ts"):
        (folder / name).rename(folder / "tools" / name)
    agent = write_agent(folder, "export async function agent() { return 1; }")
    bundle = load_agent(agent, RuntimePolicy())
    assert (bundle.templates, bundle.tools) == ((), ())


@pytest.mark.parametrize("name", ["pipe.ts", "zero.ts", "pipe.star"])
def test_a_pipe_or_device_is_no_agent(name: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=f"{name} is not a regular file"):
        load_agent(folder / name, RuntimePolicy())


async def test_a_tool_is_named_and_not_looked_for(folder: Path) -> None:
    (folder / "tools").mkdir()
    asked = [*ways_to("ts", str(folder.parent / "outside")), "__proto__", "constructor", "toString", "../tools/x"]
    assert leaks(await errors_of(folder, "chidori.tool(path, {})", asked), folder, asked) == []


async def test_memory_keeps_names_apart_that_look_like_paths_or_run_into_each_other(folder: Path) -> None:
    long = "k" * 4000
    names = ["a", "a\0b", "b", "\0", "../a", "/a", "a/b", "a//b", "%61", long, long + "x", "ä", "a\u0308", "\n"]
    pairs = [[namespace, key] for namespace in names for key in names]
    source = """export async function agent({ pairs }: any, chidori: any) {
      for (const [namespace, key] of pairs) await chidori.memory("set", key, [namespace, key], { namespace });
      const found = [];
      for (const [namespace, key] of pairs) found.push(await chidori.memory("get", key, { namespace }));
      const long = "k".repeat(10_000);
      const refused = [
        await chidori.tryCall(() => chidori.memory("set", long, 1)),
        await chidori.tryCall(() => chidori.memory("set", "k", 1, { namespace: long })),
      ];
      return [found, refused.map((one: any) => one.error)];
    }"""
    main = write_agent(folder, source)
    async with runtime_in(folder.parent) as runtime:
        found, refused = output_of(await within(SECONDS, start(runtime, main, {"pairs": pairs})))
    assert found == pairs
    assert refused == [f"memory: the {what} is longer than 4096 bytes" for what in ("key", "namespace")]


# -- what clients name ------------------------------------------------------------------------------------------------


@pytest.fixture
def served(folder: Path) -> Path:
    (folder / "sub").mkdir()
    (folder / "sub" / "x.ts").write_text(f'export async function agent() {{ return "{SECRET}"; }}')
    (folder.parent / "x.ts").write_text(f'export async function agent() {{ return "{SECRET}"; }}')
    return write_agent(folder, "export async function agent(input: any) { return input.event?.path ?? input; }")


async def test_an_agent_s_name_is_a_bare_file_name(served: Path, tmp_path: Path) -> None:
    bad = [
        *("../x.ts", "..%2fx.ts", "%2e%2e/x.ts", "..\\x.ts", "sub/x.ts", "./agent.ts", "/etc/passwd", ""),
        *("agent.ts\n", "agent.ts\0", "\0agent.ts", "agent.ts ", "agént.ts", "agent。ts", "a" * 126 + ".ts", "agent"),
        *("passwd", "agent.ts/", "..", ".", "agent.TS", "agent.ts;x", "C:agent.ts", "file:agent.ts", "agent.ts\r\n.ts"),
    ]
    absent = [".ts", "..ts", "...ts", "-.ts", "a" * 124 + ".ts", "pipe.ts", "zero.ts", "folder.ts", "loop.ts"]
    async with serving(served, tmp_path) as client:
        for names, status in ((bad, 400), (absent, 404)):
            for name in names:
                told = await client("POST", "/sessions", json={"input": {}, "agent": name})
                assert (told.status, SECRET in told.body.decode()) == (status, False), (name, told.body)
        assert (await client("GET", "/sessions")).json["sessions"] == []


async def test_a_session_s_id_in_a_url_is_looked_up_and_nothing_else(served: Path, tmp_path: Path) -> None:
    async with serving(served, tmp_path) as client:
        known = (await client("POST", "/sessions", json={"input": {}, "session_id": "known"})).json
        assert known["output"] == {}
        for path in (
            "/sessions/..",
            "/sessions/%2e%2e",
            "/sessions/..%2fx",
            "/sessions/a%00",
            "/sessions/" + "a" * 4000,
        ):
            for rest in ("", "/checkpoint", "/snapshot", "/stream"):
                async with client.session.get(URL(client.url + path + rest, encoded=True)) as told:
                    body = await told.read()
                    assert told.status == 404, (path, rest, body)
                    assert "error" in orjson.loads(body)
        assert [one["id"] for one in (await client("GET", "/sessions")).json["sessions"]] == ["known"]


async def raw(url: str, target: str, headers: Mapping[str, str] = {}) -> tuple[int, bytes]:
    """A POST whose path no client library has put in order first."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    lines = [f"POST {target} HTTP/1.1", "Host: x", "Content-Length: 2", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", "{}"]).encode())
    try:
        async with asyncio.timeout(SECONDS):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split()[1]), body


async def test_no_spelling_of_a_path_reaches_an_agent_past_its_signature_or_the_key(
    served: Path, tmp_path: Path
) -> None:
    webhooks = tmp_path / "webhooks.json"
    paths = {"/github": {"kind": "bearer", "secret": "s"}, "/open": {"kind": "open"}}
    webhooks.write_bytes(orjson.dumps(paths))
    environ = {**LOCAL, "CHIDORI_WEBHOOKS": str(webhooks), "CHIDORI_API_KEY": "key"}
    async with serving(served, tmp_path, environ) as client:
        assert await raw(client.url, "/open") == (200, b'"/open"')
        for target in (
            *("/github", "/%67ithub", "/open/../github", "/open/%2e%2e/github", "//github", "/./github", "/github/"),
            *(
                "/open/",
                "/open/..",
                "/open%2f..%2fgithub",
                "/sessions",
                "/open/../sessions",
                "/x/../sessions",
                "/other",
            ),
            *("/OPEN", "/open%00", "/open%2f", "/open;x", "/github?x=/open", "http://x/github"),
        ):
            status, body = await raw(client.url, target)
            assert status in (400, 401, 404), (target, status, body)
        headers = {"Authorization": "Bearer key"}
        assert len((await client("GET", "/sessions", headers=headers)).json["sessions"]) == 1


# -- what the command line names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["trace", "snapshot", "export", "replay", "verify"])
def test_an_id_on_the_command_line_is_no_path(command: str, folder: Path) -> None:
    write_agent(folder, "export async function agent() { return 1; }")
    chidori(folder, "run", "agent.ts")
    for run_id in ("../project", "/etc/passwd", "a/b", "x" * 600, "..", "ä", " "):
        told = chidori(folder, command, run_id)
        assert told.returncode == 1, (run_id, told.stderr)
        assert "Traceback" not in told.stderr
        assert any(
            text in told.stderr + told.stdout for text in ("no run", "is not a run id", "not JSON", "FAILED: xxx")
        ), told.stderr


def test_a_file_of_the_input_is_the_user_s_own_choice(folder: Path) -> None:
    write_agent(folder, "export async function agent(input: any) { return input.text; }")
    told = chidori(folder, "run", "agent.ts", "--input", "text=@../outside/s.md")
    assert told.stdout == f'"{SECRET}"\n'


def test_a_store_s_path_is_the_user_s_own_and_what_lies_there_is_left_alone(folder: Path) -> None:
    write_agent(folder, "export async function agent() { return 1; }")
    for path in ("../outside/s.md", "../outside/s.md/store", "/dev/zero", "pipe.md", "loop.md"):
        told = chidori(folder, "run", "agent.ts", env=environment(folder, CHIDORI_DB_PATH=path))
        assert_refused(told, 1, Path(path).name, "set CHIDORI_DB_PATH")
    assert (folder.parent / "outside" / "s.md").read_text() == SECRET


# -- what a checkpoint names ------------------------------------------------------------------------------------------

READS = """export async function agent(input: any, chidori: any) {
  await chidori.input("Go on?");
  const told = [];
  for (const path of ["default/s.md", "s.md"]) told.push(await chidori.tryCall(() => chidori.template(path, {})));
  for (const path of ["s.ts", "kid.ts"]) told.push(await chidori.tryCall(() => chidori.callAgent(path)));
  return told.map((one: any) => one.ok);
}
"""


async def checkpoint_of(folder: Path) -> Any:
    main = write_agent(folder, READS)
    async with runtime_in(folder.parent) as runtime:
        pause_of(await start(runtime, main))
        return orjson.loads(export_run(runtime.store, get_run(runtime.store, RUN)))


def everything_below(folder: Path) -> set[str]:
    return {os.path.join(at, name) for at, _, files in os.walk(folder) for name in files}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory into which checkpoints are imported."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("agent", ["{outside}/s.ts", "../outside/s.ts", "{outside}/../outside/x.ts", "/etc/x.ts"])
async def test_an_imported_run_reads_nothing_beside_the_file_that_its_checkpoint_names(
    agent: str, folder: Path, elsewhere: Path
) -> None:
    document = await checkpoint_of(folder)
    outside = folder.parent / "outside"
    (outside / "default").mkdir()
    (outside / "default" / "s.md").write_text(SECRET)
    document["run"]["agent"] = agent.format(outside=outside)
    async with runtime_in(elsewhere) as runtime:
        await import_checkpoint(runtime.store, orjson.dumps(document), run_id="imported")
        answers = Attendance(questions=ScriptedQuestions(["yes"]))
        result = await within(SECONDS, runtime.resume("imported", attendance=answers))
        assert output_of(result) == [False] * 4
        assert get_run(runtime.store, "imported").agent == Path(agent).name


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "..\\x.ts", "x\0.ts", "a/" * 2000 + "x.ts", "../x.ts"]
)
async def test_module_paths_of_a_checkpoint_are_names(path: str, folder: Path, elsewhere: Path) -> None:
    document = await checkpoint_of(folder)
    manifest, bundle = document["snapshot_manifest"], orjson.loads(document["bundle"])
    for entry in (manifest["entry"], *manifest["modules"], *bundle["modules"]):
        entry["path"] = path
    bundle["entry"] = path
    bundle["templates"] = [[path, "{{ 1 }}"], ["../s.md", "x"]]
    document["bundle"] = orjson.dumps(bundle).decode()
    before = everything_below(folder.parent) | {"/etc/passwd"}
    async with runtime_in(elsewhere) as runtime:
        with contextlib.suppress(ChidoriError):  # that it is refused is as good
            await import_checkpoint(runtime.store, orjson.dumps(document), run_id="imported")
            answers = Attendance(questions=ScriptedQuestions(["yes"]))
            told = text_of(await within(SECONDS, runtime.resume("imported", attendance=answers)))
            assert told == "[false,false,false,false]"
    store = str(elsewhere / "store")
    assert {file for file in everything_below(folder.parent) - before if not file.startswith(store)} == set()


def test_the_id_of_a_checkpoint_is_no_path(folder: Path) -> None:
    write_agent(folder, "export async function agent() { return 1; }")
    run_id = run_id_of(chidori(folder, "run", "agent.ts"))
    document = orjson.loads(chidori(folder, "export", run_id).stdout)
    for wrong in ("../x", "/etc/x", "x" * 129, "x\n", "", "a/b"):
        text = orjson.dumps({**document, "session_id": wrong}).decode()
        assert_refused(chidori(folder, "import", "-", stdin=text), 1, "")
    assert len(chidori(folder, "runs").stdout.strip().splitlines()) >= 1


def test_memory_s_keys_have_a_bounded_length_in_the_store(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "store", create=True)
    try:
        memory = StoredMemory(store)
        keys = {memory.put("n" * size, "k" * size, b"1").key for size in (0, 1, 400, 401, 10_000)}
        assert max(map(len, keys)) <= 511
        assert len(keys) == 5
    finally:
        store.close()


def test_a_checkpoint_cannot_move_the_project_s_root_up(tmp_path: Path) -> None:
    project = tmp_path / "outer" / "project"
    (project / "agents").mkdir(parents=True)
    (project / "package.json").write_text("{}")
    file = project / "agents" / "agent.ts"
    file.write_text("export async function agent() {}")

    def root(entry: str) -> Path:
        return root_of(file, Bundle(entry, (), ()))

    assert root("agents/agent.ts") == project
    assert root("agent.ts") == project / "agents"
    assert root("outer/project/agents/agent.ts") == project
    assert root(str(file).lstrip("/")) == project
    assert root("another/agent.ts") == project / "agents"
