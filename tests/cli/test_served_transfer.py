"""Checkpoints downloaded from a server, used on the command line of another machine.

Most have no more than the wire contract asks for, as those of another implementation: the agent's file goes with them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.client import Checkpoint
from tests.cli.console import assert_refused, chidori
from tests.front_door.serving import serving
from tests.support.agents import write_agent

AGENT = """
import { shout } from "./shout";
export async function agent(input, chidori) {
  const draft = await chidori.prompt("draft");
  if (input.fail === "call") await chidori.template("{{ missing }}");
  if (input.fail === "code") throw new RangeError("its own fault");
  const answer = input.ask ? await chidori.input("Go on?", { choices: ["yes", "no"] }) : null;
  return { draft: shout(draft), answer, random: Math.random(), now: Date.now() };
}
"""
HELPER = "export const shout = (text: string): string => text.toUpperCase();"
CONTRACT = ("id", "run_id", "status", "input", "call_log", "snapshot_manifest")
SERVER = {"CHIDORI_TEST_LLM_RESPONSE": "from the server"}


def project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "shout.ts").write_text(HELPER, encoding="utf-8")
    return write_agent(folder, AGENT)


async def downloaded(tmp_path: Path, value: Any) -> tuple[Path, dict[str, Any]]:
    """A folder with the agent, `whole.json`, as curl stores it, and `cp.json`, which has no more than the contract asks
    for; and the view of the session, which is `s1`."""
    there = project(tmp_path / "there")
    async with serving(there, there.parent, SERVER) as client:
        view = (await client("POST", "/sessions", json={"input": value, "session_id": "s1"})).json
        answer = await client("GET", "/sessions/s1/checkpoint")
    here = project(tmp_path / "here").parent
    (here / "whole.json").write_bytes(answer.body)
    (here / "cp.json").write_bytes(contract_part(answer.body))
    return here, view


def contract_part(checkpoint: bytes) -> bytes:
    document = orjson.loads(checkpoint)
    return orjson.dumps({name: document[name] for name in CONTRACT})


async def test_a_downloaded_checkpoint_needs_nothing_else(tmp_path: Path) -> None:
    here, view = await downloaded(tmp_path, {})
    for file in here.glob("*.ts"):
        file.unlink()
    imported = chidori(here, "import", "whole.json")
    assert (imported.returncode, imported.stdout, imported.stderr) == (0, "s1\n", "")
    assert orjson.loads(chidori(here, "replay", "s1").stdout) == view["output"]
    assert chidori(here, "verify", "s1").stdout == "OK: s1\n"
    branched = chidori(here, "branch", "s1", "--at", "1", "--result", '"edited"')
    assert orjson.loads(branched.stdout)["draft"] == "EDITED"


async def test_a_downloaded_checkpoint_is_replayed_with_the_agent_s_file(tmp_path: Path) -> None:
    here, view = await downloaded(tmp_path, {})
    imported = chidori(here, "import", "cp.json", "--agent", "agent.ts")
    assert (imported.returncode, imported.stdout) == (0, "s1\n")
    assert imported.stderr == (
        "warning: it has no output: `chidori replay` shows it, and `verify` has nothing to compare with\n"
    )
    replayed = chidori(here, "replay", "s1")
    assert orjson.loads(replayed.stdout) == view["output"]
    assert view["output"]["draft"] == "FROM THE SERVER"
    listed = orjson.loads(chidori(here, "runs", "--json").stdout)["runs"]
    assert [(run["id"], run["status"]) for run in listed] == [("s1", "completed")]
    verified = chidori(here, "verify", "s1")
    assert (verified.returncode, verified.stdout) == (1, "FAILED: s1: its record has no output to compare with\n")
    branched = chidori(here, "branch", "s1", "--at", "1", "--result", '"edited"')
    assert orjson.loads(branched.stdout)["draft"] == "EDITED"


async def test_without_the_agent_s_file_it_is_said_how_to_give_it(tmp_path: Path) -> None:
    here, _ = await downloaded(tmp_path, {})
    imported = chidori(here, "import", "cp.json")
    assert imported.stdout == "s1\n"
    assert "it has no source: " in imported.stderr
    assert "--agent FILE" in imported.stderr
    assert_refused(chidori(here, "replay", "s1"), 1, "imported without its source", "--agent FILE")


async def test_a_paused_session_is_answered_where_it_was_imported(tmp_path: Path) -> None:
    here, view = await downloaded(tmp_path, {"ask": True})
    assert view["status"] == "paused"
    assert chidori(here, "import", "cp.json", "--agent", "agent.ts").returncode == 0
    assert '"paused"' in chidori(here, "runs", "--json").stdout
    resumed = chidori(here, "resume", "agent.ts", "s1", "--answer", "yes")
    output = orjson.loads(resumed.stdout)
    assert (output["draft"], output["answer"]) == ("FROM THE SERVER", "yes")


@pytest.mark.parametrize(
    ("fail", "texts"),
    [("call", ["missing"]), ("code", ["an error that is not in the checkpoint"])],
)
async def test_a_failed_session_stays_failed_and_fails_alike(tmp_path: Path, fail: str, texts: Sequence[str]) -> None:
    here, view = await downloaded(tmp_path, {"fail": fail})
    assert view["status"] == "failed"
    assert chidori(here, "import", "cp.json", "--agent", "agent.ts").returncode == 0
    listed = chidori(here, "runs", "--status", "failed").stdout
    assert "s1" in listed
    traced = chidori(here, "trace", "s1").stdout
    assert all(text in traced for text in texts)
    replayed = chidori(here, "replay", "s1")
    assert replayed.returncode == 1
    assert ("missing" if fail == "call" else "its own fault") in replayed.stderr
    resumed = chidori(here, "resume", "agent.ts", "s1")
    assert ("its agent's own code" in resumed.stderr) == (fail == "code")


async def test_another_source_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    here, _ = await downloaded(tmp_path, {})
    changed = HELPER.replace("toUpperCase", "toLowerCase")
    (here / "shout.ts").write_text(changed, encoding="utf-8")
    refused = chidori(here, "import", "cp.json", "--agent", "agent.ts")
    assert_refused(
        refused, 1, "runtime snapshot module mismatch: snapshot has shout.ts sha256:", "--allow-source-change"
    )
    assert chidori(here, "runs").stdout == "no runs\n"
    assert chidori(here, "import", "cp.json", "--agent", "agent.ts", "--allow-source-change").returncode == 0
    assert orjson.loads(chidori(here, "replay", "s1").stdout)["draft"] == "from the server"
    (here / "agent.ts").write_text(AGENT.replace('"draft"', '"other"'), encoding="utf-8")
    refused = chidori(here, "import", "cp.json", "--as", "s2", "--agent", "agent.ts")
    assert_refused(refused, 1, "runtime snapshot source mismatch: snapshot has agent.ts sha256:")


async def test_a_file_with_its_source_takes_no_other(tmp_path: Path) -> None:
    agent = project(tmp_path / "here")
    chidori(agent.parent, "run", "agent.ts")
    listed = orjson.loads(chidori(agent.parent, "runs", "--json").stdout)["runs"]
    chidori(agent.parent, "export", listed[0]["id"], "-o", "run.json")
    refused = chidori(agent.parent, "import", "run.json", "--as", "copy", "--agent", "agent.ts")
    assert_refused(refused, 2, "the checkpoint file has its source", "leave --agent out")


async def test_a_status_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cp.json").write_text('{"id": "s1", "status": "done", "input": {}, "call_log": []}')
    assert_refused(chidori(tmp_path, "import", "cp.json"), 1, "`status` is not one of running, ")


async def test_options_of_a_source_need_one(tmp_path: Path) -> None:
    refused = chidori(tmp_path, "import", "cp.json", "--allow-source-change")
    assert_refused(refused, 2, "--allow-source-change", "--agent")


async def test_what_the_client_saves_is_imported_too(tmp_path: Path) -> None:
    here, view = await downloaded(tmp_path, {})
    Checkpoint.load(here / "whole.json").save(here / "saved.json")
    assert chidori(here, "import", "saved.json").stdout == "s1\n"
    assert orjson.loads(chidori(here, "replay", "s1").stdout) == view["output"]


async def test_open_questions_inside_of_branches_are_asked_again(tmp_path: Path) -> None:
    source = """
    export async function agent(input, chidori) {
      return chidori.parallel([1, 2].map((n) => () => chidori.input(`Take ${n}?`)));
    }
    """
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    write_agent(here, source)
    async with serving(write_agent(there, source), there, SERVER) as client:
        view = (await client("POST", "/sessions", json={"input": {}, "session_id": "s1"})).json
        (here / "cp.json").write_bytes(contract_part((await client("GET", "/sessions/s1/checkpoint")).body))
    assert len(view["pending"]) == 2
    assert chidori(here, "import", "cp.json", "--agent", "agent.ts").returncode == 0
    resumed = chidori(here, "resume", "agent.ts", "s1")
    assert resumed.returncode == 3
    assert "Take 1?" in resumed.stderr
    assert "Take 2?" in resumed.stderr
