"""``chidori replay`` and ``chidori verify``."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run, run_writes

from .console import assert_refused, chidori, environment, read_run_id, read_until, run_id_of, running

AGENT = """
export async function agent(input, chidori) {
  const text = await chidori.prompt("Tell me");
  if (input.fail) throw new Error(`failed after ${text}`);
  if (input.ask) await chidori.input("Well?");
  return { text, at: Date.now(), random: Math.random() };
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.ts").write_text(AGENT)
    return tmp_path


def no_provider(folder: Path) -> dict[str, str]:
    env = environment(folder)
    del env["CHIDORI_TEST_LLM_RESPONSE"]
    return env


def test_replay_needs_neither_provider_nor_file(folder: Path) -> None:
    first = chidori(folder, "run", "agent.ts")
    (folder / "agent.ts").unlink()
    result = chidori(folder, "replay", run_id_of(first), env=no_provider(folder))
    assert (result.returncode, result.stdout) == (0, first.stdout), result.stderr
    assert "1 call answered from the record" in result.stderr


def test_replay_fails_and_pauses_like_the_run(folder: Path) -> None:
    failed = chidori(folder, "run", "agent.ts", "-i", "fail=1")
    replayed = chidori(folder, "replay", run_id_of(failed))
    assert_refused(replayed, 1, "Error: agent.ts:4:", ": failed after a fixed reply")
    paused = chidori(folder, "run", "agent.ts", "-i", "ask=1")
    replayed = chidori(folder, "replay", run_id_of(paused))
    assert replayed.returncode == 3
    assert "#2 Well?" in replayed.stderr


def test_verify_says_ok_for_every_run_that_can_be_replayed(folder: Path) -> None:
    ids = [
        run_id_of(chidori(folder, "run", "agent.ts", *options)) for options in ((), ("-i", "fail=1"), ("-i", "ask=1"))
    ]
    result = chidori(folder, "verify", *ids, env=no_provider(folder))
    assert result.stdout == "".join(f"OK: {run_id}\n" for run_id in ids), result.stderr
    assert result.returncode == 0


def test_verify_says_that_there_is_no_such_file(folder: Path) -> None:
    result = chidori(folder, "verify", "none.json", env=no_provider(folder))
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout == "FAILED: none.json: none.json cannot be read: No such file or directory\n"


async def _record_other_output(folder: Path, run_id: str, output: bytes) -> None:
    store = LocalStore.open(folder / ".chidori/store")
    await store.commit(run_writes(replace(get_run(store, run_id), output=output), new=False))
    store.close()


async def test_verify_finds_an_output_that_is_not_the_agents(folder: Path) -> None:
    good, bad = (run_id_of(chidori(folder, "run", "agent.ts")) for _ in range(2))
    await _record_other_output(folder, bad, b'{"text":"another reply"}')
    result = chidori(folder, "verify", bad, good, "no-such-run")
    lines = result.stdout.splitlines()
    assert lines[0] == f"FAILED: {bad}: the replay's output differs from the recorded one"
    assert lines[1] == f"OK: {good}"
    assert lines[2].startswith("FAILED: no-such-run: no run no-such-run in the store")
    assert result.returncode == 1


def test_replay_streams_its_calls_marked_as_replayed(folder: Path) -> None:
    first = chidori(folder, "run", "agent.ts")
    result = chidori(folder, "replay", run_id_of(first), "--stream")
    call, done = (orjson.loads(line) for line in result.stdout.splitlines())
    assert call["record"]["replayed"] is True
    assert done["output"] == orjson.loads(first.stdout)


def test_replay_of_an_interrupted_run_says_how_it_goes_on(folder: Path) -> None:
    (folder / "waits.ts").write_text(
        "export async function agent(input, chidori) {\n"
        '  await chidori.log("begun");\n'
        "  await new Promise((resolve) => setTimeout(resolve, 600_000));\n"
        "}\n"
    )
    with running(folder, "run", "waits.ts") as process:
        run_id = read_run_id(process)
        read_until(process, "#2 timer")
    replayed = chidori(folder, "replay", run_id)
    assert_refused(replayed, 1, "the run was interrupted", f"chidori resume waits.ts {run_id}")
    assert chidori(folder, "verify", run_id).stdout == f"OK: {run_id}\n"
