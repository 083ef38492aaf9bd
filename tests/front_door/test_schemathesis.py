"""Schemathesis against the real server: every route as its own OpenAPI document describes it, and nothing is broken."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent

AGENT = """
export async function agent(input: any, chidori: any) {
  if (typeof input === "string") return await chidori.input("Go on?", { choices: ["yes", "no"] });
  if (typeof input === "number") throw new Error("no numbers");
  return { said: await chidori.prompt(`about ${JSON.stringify(input)}`) };
}
"""

# What a schema cannot say of a request (two records of one call, a call that is not in the history, a question's
# choices) is 422 too; where it can say all, a request that it allows must be taken.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 409]

[[operations]]
include-operation-id = [
  "create_session", "create_and_stream", "branch_session", "preview_branch", "verify_session", "resume_session",
  "list_sessions",
]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 409, 422]
"""


async def _examine(client: Client, folder: Path, examples: int, seconds: float) -> None:
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG, encoding="utf-8")
    command = ("--config-file", str(config), "--no-color", "run", f"{client.url}/openapi.json")
    bounds = ("--max-examples", str(examples), "--request-timeout", "20", "--seed", "4")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *command, "--checks", "all", *bounds),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await within(seconds, process.communicate())
    finally:
        if process.returncode is None:
            process.kill()
    report = said.decode()
    assert process.returncode == 0, report[-20_000:]
    operations = re.search(r"Tested: (\d+)", report)
    assert operations is not None, report
    # All but the document itself, which it leaves out.
    assert int(operations[1]) == len(_operations((await client("GET", "/openapi.json")).json)) - 1, report


def _operations(document: dict[str, Any]) -> list[str]:
    return [operation["operationId"] for path in document["paths"].values() for operation in path.values()]


async def _check_every_session(client: Client) -> None:
    """Each is at rest, is listed once, and has its view, its checkpoint, its manifest and its events."""
    listed: list[str] = []
    cursor = ""
    while True:
        page = (await client("GET", f"/sessions?limit=500{cursor}")).json
        listed += [each["id"] for each in page["sessions"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(set(listed)) == len(listed) > 3
    states = set()
    for session in listed:
        view = await client("GET", f"/sessions/{session}")
        states.add(view.json["status"])
        assert (await client("GET", f"/sessions/{session}/checkpoint")).status == 200, view.body
        assert (await client("GET", f"/sessions/{session}/snapshot")).status == 200, view.body
        events = await client("GET", f"/sessions/{session}/stream")
        assert events.body.rstrip().rpartition(b"event: ")[2].startswith(b"done\n"), events.body
    assert {"completed", "failed"} <= states <= {"completed", "failed", "paused", "cancelled"}


@pytest.mark.parametrize(
    ("examples", "seconds"), [(15, 150), pytest.param(100, 280, marks=pytest.mark.slow)], ids=["short", "long"]
)
async def test_the_server_does_what_its_document_says(
    tmp_path: Path, examples: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        for value, status in (({}, "completed"), (1, "failed"), ("ask", "paused")):
            assert (await client("POST", "/sessions", json={"input": value})).json["status"] == status
        await _examine(client, tmp_path, examples, seconds)
        await _check_every_session(client)
    assert "Traceback" not in capsys.readouterr().err
