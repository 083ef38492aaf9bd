"""``GET /sessions/{id}/commands``: commands that work where they are pasted."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run
from chidori_actors.settings import Settings
from chidori_actors.shell_commands import ShellCommands
from tests.cli.console import environment
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent

AGENT = """
export async function agent(input: any, chidori: any) {
  const said = await chidori.prompt("one");
  return `${said} for ${await chidori.input("Who?")}`;
}
"""


async def _commands(client: Client, session: str) -> dict[str, str]:
    told = await client("GET", f"/sessions/{session}/commands")
    assert told.status == 200, told.body
    return {each["title"]: each["command"] for each in told.json["commands"]}


async def _in_a_shell(folder: Path, command: str) -> tuple[int, str, str]:
    """Paste the command into a shell that stands in another folder than the store."""
    folder.mkdir(exist_ok=True)
    shell = f'chidori() {{ "{sys.executable}" -m chidori_actors "$@"; }}\n{command}\n'
    env = {**environment(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", shell, cwd=folder, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await within(60, process.communicate())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_commands_work_in_a_shell(tmp_path: Path) -> None:
    there = tmp_path / "it's a store"
    there.mkdir()
    async with serving(write_agent(there, AGENT), there) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        commands = await _commands(client, "s")
        assert list(commands) == [
            "Show its calls",
            "Replay it",
            "Verify it",
            "Answer #2",
            "Branch off, with another result",
            "Export it as a checkpoint file",
        ]
        preview = {"at": 1, "result": 'what\'s $HOME "now"'}
        branch = (await client("POST", "/sessions/s/branch/preview", json=preview)).json["command"]
    elsewhere = tmp_path / "elsewhere"
    assert await _in_a_shell(elsewhere, commands["Verify it"]) == (0, "OK: s\n", "")
    code, out, err = await _in_a_shell(elsewhere, commands["Answer #2"].replace("TEXT", "Ada"))
    assert (code, out) == (0, '"fine for Ada"\n'), err
    code, out, err = await _in_a_shell(elsewhere, f"{branch} --as forked")
    assert code == 3, err
    store = LocalStore.open(there / "store")
    assert get_run(store, "forked").branch is not None
    store.close()
    code, out, err = await _in_a_shell(elsewhere, commands["Export it as a checkpoint file"])
    assert (code, (elsewhere / "s.json").is_file()) == (0, True), err


async def test_approvals_and_failed_runs_have_commands_of_their_own(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      if (input.fail) throw new Error("no");
      return await chidori.http("http://127.0.0.1:9/");
    }"""
    policy = {"CHIDORI_POLICY": '{"rules":[{"target":"http","decision":"ask_before"}]}'}
    async with serving(write_agent(tmp_path, source), tmp_path, policy) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "asks"})
        await client("POST", "/sessions", json={"input": {"fail": True}, "session_id": "failed"})
        asks, failed = await _commands(client, "asks"), await _commands(client, "failed")
        assert asks["Approve #1"].endswith(f"chidori resume {tmp_path / 'agent.ts'} asks --approve 1")
        assert asks["Deny #1"].endswith(f"chidori resume {tmp_path / 'agent.ts'} asks --deny 1")
        assert failed["Let it go on"].endswith(f"chidori resume {tmp_path / 'agent.ts'} failed")
        assert (await client("GET", "/sessions/nobody/commands")).status == 404


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "chidori trace s"),
        (replace(Settings(), store=Path("/a b/c")), "CHIDORI_DB_PATH='/a b/c' chidori trace s"),
        (replace(Settings(), ray_address="10.0.0.1:6379"), "chidori trace s --address 10.0.0.1:6379"),
        (replace(Settings(), store=Path("/a"), ray_address="auto"), "chidori trace s --address auto"),
    ],
)
def test_commands_name_the_store_or_the_cluster(settings: Settings, expected: str) -> None:
    assert ShellCommands(settings)("trace", "s") == expected
