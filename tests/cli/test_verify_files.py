"""``chidori verify FILE``: a checkpoint file as a fixture."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.front_door.serving import serving
from tests.support.agents import write_agent

from .console import assert_refused, chidori, environment, run_id_of

AGENT = """
export async function agent(input: any, chidori: any) {
  const text = await chidori.prompt("Tell me");
  const parts = await chidori.parallel([async () => await chidori.log("in a branch"), async () => 7]);
  if (input.fail) throw new Error(`failed after ${text}`);
  return { text, parts, random: Math.random() };
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_agent(tmp_path, AGENT)
    return tmp_path


def _exported(folder: Path, name: str, *options: str) -> Path:
    run_id = run_id_of(chidori(folder, "run", "agent.ts", *options))
    assert chidori(folder, "export", run_id, "-o", name).returncode == 0
    return folder / name


def test_files_are_verified_without_a_store_and_leave_none_behind(folder: Path, tmp_path_factory: Any) -> None:
    files = [_exported(folder, "good.json"), _exported(folder, "failed.json", "-i", "fail=1")]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    temporary = elsewhere / "tmp"
    temporary.mkdir()
    env = environment(elsewhere, TMPDIR=str(temporary))
    del env["CHIDORI_TEST_LLM_RESPONSE"]
    result = chidori(elsewhere, "verify", *map(str, files), env=env)
    assert (result.returncode, result.stdout) == (0, "".join(f"OK: {file}\n" for file in files)), result.stderr
    assert [path.name for path in elsewhere.iterdir()] == ["tmp"]
    assert list(temporary.iterdir()) == []


def test_files_and_runs_may_be_mixed(folder: Path) -> None:
    file = _exported(folder, "good.json")
    run_id = run_id_of(chidori(folder, "run", "agent.ts"))
    result = chidori(folder, "verify", "good.json", run_id, "good.json", "no-such.json")
    lines = result.stdout.splitlines()
    assert lines[:3] == ["OK: good.json", f"OK: {run_id}", "OK: good.json"]
    assert lines[3].startswith("FAILED: no-such.json: no-such.json cannot be read: No such file")
    assert result.returncode == 1
    assert file.is_file()


def _other_answer(document: dict[str, Any]) -> None:
    next(call for call in document["call_log"] if call["function"] == "prompt")["result"] = "another reply"


def _other_args(document: dict[str, Any]) -> None:
    next(call for call in document["call_log"] if call["function"] == "prompt")["args"]["text"] = "Ask me"


def _no_call(document: dict[str, Any]) -> None:
    document["call_log"] = [call for call in document["call_log"] if call["function"] != "prompt"]


def _no_source(document: dict[str, Any]) -> None:
    del document["bundle"]


def _no_log(document: dict[str, Any]) -> None:
    del document["call_log"]


@pytest.mark.parametrize(
    ("mangle", "reason"),
    [
        (_other_answer, "the replay's output differs from the recorded one"),
        (_other_args, "Replay divergence at seq 1: checkpoint has `prompt` with `text`"),
        (_no_call, "Replay divergence at seq"),
        (_no_source, "was imported without its source"),
        (_no_log, "`call_log` is missing"),
    ],
)
def test_a_mangled_file_is_failed_with_the_reason(
    folder: Path, mangle: Callable[[dict[str, Any]], None], reason: str
) -> None:
    file = _exported(folder, "mangled.json")
    document = orjson.loads(file.read_bytes())
    mangle(document)
    file.write_bytes(orjson.dumps(document))
    result = chidori(folder, "verify", "mangled.json")
    assert result.stdout.startswith("FAILED: mangled.json: "), result.stderr
    assert reason in result.stdout
    assert (result.returncode, result.stdout.count("\n"), result.stderr) == (1, 1, "")


def test_what_is_no_checkpoint_is_failed(folder: Path) -> None:
    (folder / "text.json").write_text("{")
    result = chidori(folder, "verify", "text.json")
    assert result.stdout.startswith("FAILED: text.json: the checkpoint file is not JSON")
    assert result.returncode == 1
    assert_refused(chidori(folder, "verify", "nothing-here"), 1, "store")


async def test_a_checkpoint_taken_with_curl_is_a_fixture(folder: Path) -> None:
    async with serving(folder / "agent.ts", folder) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        taken = await asyncio.create_subprocess_exec(
            "curl", "-sf", "-o", str(folder / "s.json"), f"{client.url}/sessions/s/checkpoint"
        )
        assert await taken.wait() == 0
        forked = (await client("POST", "/sessions/s/branch", json={"at": 1, "result": "edited"})).json["id"]
        (folder / "fork.json").write_bytes((await client("GET", f"/sessions/{forked}/checkpoint")).body)
    result = chidori(folder, "verify", "s.json", "fork.json")
    assert (result.returncode, result.stdout) == (0, "OK: s.json\nOK: fork.json\n"), result.stderr
