"""``export`` and ``import`` as a user runs them: processes, files and pipes, and a real model server."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.provider_keys import is_guarded_variable
from tests.support.agents import write_agent
from tests.support.openai_server import OpenAIServer
from tests.support.process import finished

from .console import command_line

PROMPTING = """
export async function agent(input, chidori) {
  const answers = [];
  for (const text of ["one", "one", "two"]) answers.push(await chidori.prompt(text, { model: "gpt-4o" }));
  return { answers, random: Math.random(), now: Date.now(), small: 0.0000025 };
}
"""
Said = tuple[int, bytes, str]


async def chidori(
    folder: Path, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None
) -> Said:
    """Exit code, stdout and stderr of the command in ``folder``, without this machine's providers."""
    clean = {name: value for name, value in os.environ.items() if not is_guarded_variable(name)}
    env = {**clean, **(variables or {})}
    return await finished(*command_line(*arguments), cwd=folder, env=env, stdin=stdin)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


async def run_here(folder: Path, **variables: str) -> tuple[str, bytes]:
    """A run of ``PROMPTING``: its id and what it printed. The agent's file is gone afterwards."""
    agent = write_agent(folder, PROMPTING)
    code, out, err = await chidori(folder, "run", agent.name, variables=variables)
    assert code == 0, err
    agent.unlink()
    found = re.search(r"^run (\S+)$", err, re.MULTILINE)
    assert found is not None
    return found[1], out


async def test_a_run_goes_from_store_to_store_and_is_verified_there(here: Path, there: Path) -> None:
    async with OpenAIServer() as server:
        run_id, printed = await run_here(here, LITELLM_API_URL=server.url, LITELLM_API_KEY="test-key")
        assert len(set(orjson.loads(printed)["answers"])) == server.chat_requests == 3
        _, exported, _ = await chidori(here, "export", run_id)
        code, out, err = await chidori(there, "import", "-", stdin=exported)
        assert (code, out, err) == (0, f"{run_id}\n".encode(), "")
        assert (await chidori(there, "verify", run_id))[:2] == (0, f"OK: {run_id}\n".encode())
        assert (await chidori(there, "replay", run_id, "-q"))[:2] == (0, printed)
        assert server.chat_requests == 3
    lines_here, lines_there = [(await chidori(folder, "trace", run_id))[1] for folder in (here, there)]
    assert lines_there == lines_here
    assert b"#3 " in lines_here


async def test_export_keeps_what_is_there_unless_it_is_forced(here: Path, there: Path) -> None:
    run_id, _ = await run_here(here, CHIDORI_TEST_LLM_RESPONSE="fine")
    target = there / "run.json"
    code, out, err = await chidori(here, "export", run_id, "-o", str(target))
    assert (code, out, err) == (0, b"", f"{run_id} → {target}\n")
    written = target.read_bytes()
    assert list(orjson.loads(written))[:4] == ["session_id", "input", "call_log", "snapshot_manifest"]
    target.write_bytes(b"mine")
    code, _, err = await chidori(here, "export", run_id, "-o", str(target))
    assert (code, err) == (2, f"Error: {target} exists\n  overwrite it with --force\n")
    assert target.read_bytes() == b"mine"
    assert (await chidori(here, "export", run_id, "-o", str(target), "--force"))[0] == 0
    assert target.read_bytes() == written
    assert list(there.iterdir()) == [target]


@pytest.mark.parametrize(
    ("target", "text"),
    [("/dev/null", "is not a regular file"), ("no/such/folder/x.json", "cannot be written: No such")],
)
async def test_export_names_a_file_that_it_cannot_write(here: Path, target: str, text: str) -> None:
    run_id, _ = await run_here(here, CHIDORI_TEST_LLM_RESPONSE="fine")
    code, out, err = await chidori(here, "export", run_id, "-o", target, "--force")
    assert code in (1, 2)
    assert out == b""
    assert err.startswith("Error: ")
    assert text in err
    assert "Traceback" not in err
    assert Path("/dev/null").is_char_device()


async def test_what_an_imported_file_lacks_is_said(here: Path) -> None:
    record: dict[str, Any] = {
        "seq": 1,
        "function": "log",
        "args": {},
        "result": None,
        "timestamp": "2026-01-01T00:00:00Z",
    }
    (here / "theirs.json").write_bytes(orjson.dumps({"session_id": "theirs", "input": {}, "call_log": [record]}))
    code, out, err = await chidori(here, "import", "theirs.json", "--as", "mine")
    assert (code, out) == (0, b"mine\n")
    warnings = err.splitlines()
    assert all(line.startswith("warning: it") for line in warnings)
    assert any("no random seed and no start time" in line for line in warnings)
    _, traced, _ = await chidori(here, "trace", "mine")
    assert traced.decode().splitlines()[-len(warnings) :] == warnings


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "file.json cannot be read: No such file or directory"),
        (b"{", "the checkpoint file is not JSON"),
        (b"[]", "the checkpoint file cannot be used: it is not an object"),
        (b'{"session_id":"a/b","input":1,"call_log":[]}', "'a/b' is not a run id"),
    ],
)
async def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(
    here: Path, content: bytes | None, text: str
) -> None:
    if content is not None:
        (here / "file.json").write_bytes(content)
    code, out, err = await chidori(here, "import", "file.json")
    assert code in (1, 2)
    assert out == b""
    assert err.startswith("Error: ")
    assert text in err.splitlines()[0]
    assert len(err.splitlines()) <= 2


async def test_an_id_that_is_taken_is_refused_and_another_can_be_given(here: Path) -> None:
    run_id, printed = await run_here(here, CHIDORI_TEST_LLM_RESPONSE="fine")
    _, exported, _ = await chidori(here, "export", run_id)
    code, _, err = await chidori(here, "import", "-", stdin=exported)
    assert code == 1
    assert err.startswith(f"Error: run {run_id} is in the store already\n")
    assert (await chidori(here, "import", "-", "--as", "copy", stdin=exported))[0] == 0
    assert (await chidori(here, "replay", "copy", "-q"))[1] == printed
