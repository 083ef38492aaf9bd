"""``chidori gc``."""

import os
import pty
import subprocess
from pathlib import Path

import orjson
import pytest

from tests.support.process import SECONDS

from .console import assert_refused, chidori, command_line, environment, read_until, run_id_of, running

ASKS = """
export async function agent(input, chidori) {
  const large = await chidori.prompt("x".repeat(input.size ?? 10_000));
  return [large, await chidori.prompt("last"), input.ask ? await chidori.input("Well?") : null];
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "asks.ts").write_text(ASKS)
    return tmp_path


def run(folder: Path, *more: str) -> str:
    return run_id_of(chidori(folder, "run", "asks.ts", *more))


def listed(folder: Path) -> set[str]:
    return {found["id"] for found in orjson.loads(chidori(folder, "runs", "--json").stdout)["runs"]}


def test_without_an_age_only_values_go_that_nothing_refers_to(folder: Path) -> None:
    run_id = run(folder)
    done = chidori(folder, "gc")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "dropped 0 runs: 0 bytes"), done.stderr
    assert "removed 0 large values" in done.stdout
    assert chidori(folder, "verify", run_id).returncode == 0


def test_old_runs_go_with_their_values_and_unfinished_ones_stay(folder: Path) -> None:
    ended, paused = run(folder), run(folder, "-i", '{"ask": true, "size": 20000}')
    nothing = chidori(folder, "gc", "--older-than", "1h")
    assert "dropped 0 runs" in nothing.stdout, nothing.stderr
    foreseen = chidori(folder, "gc", "--older-than", "0h", "--dry-run")
    assert foreseen.stdout.startswith("would drop 1 run: ")
    assert f"  {ended} completed asks.ts\n" in foreseen.stdout
    assert "would remove 1 large value that" in foreseen.stdout
    assert listed(folder) == {ended, paused}

    done = chidori(folder, "gc", "--older-than", "0d", "--yes")
    assert done.stdout.startswith("dropped 1 run: ")
    assert "removed 1 large value that" in done.stdout
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        line.partition(": ")[2] for line in foreseen.stdout.splitlines() if line.startswith("would")
    ], "what was foreseen is what happened"
    assert listed(folder) == {paused}
    resumed = chidori(folder, "resume", "asks.ts", paused, "--answer", "yes")
    assert orjson.loads(resumed.stdout)[2] == "yes", resumed.stderr


def test_a_run_stays_while_a_branch_of_it_does(folder: Path) -> None:
    parent = run(folder, "-i", '{"ask": true}')
    chidori(folder, "resume", "asks.ts", parent, "--answer", "yes")
    branch = run_id_of(chidori(folder, "branch", parent, "--at", "2", "--result", '"other"'))
    for more in (("--dry-run",), ("--yes",)):
        kept = chidori(folder, "gc", "--older-than", "0w", *more)
        assert "drop 0 runs" in kept.stdout or "dropped 0 runs" in kept.stdout
        assert f"kept 1 old run that a kept branch refers to or a process owns:\n  {parent}\n" in kept.stdout
    done = chidori(folder, "resume", "asks.ts", branch, "--answer", "no")
    assert orjson.loads(done.stdout)[1:] == ["other", "no"], done.stderr
    assert chidori(folder, "gc", "--older-than", "0h", "--yes").stdout.startswith("dropped 2 runs: ")
    assert listed(folder) == set()


def test_nobody_there_means_no(folder: Path) -> None:
    run_id = run(folder)
    refused = chidori(folder, "gc", "--older-than", "0h", stdin="y\n")
    assert_refused(refused, 2, "1 run would be dropped, and nobody is here to be asked", "--yes drops them")
    assert listed(folder) == {run_id}


@pytest.mark.parametrize(("said", "left"), [("y", 0), ("n", 1)])
def test_a_person_is_asked(folder: Path, said: str, left: int) -> None:
    run_id = run(folder)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{said}\n".encode())
        asked = subprocess.run(
            command_line("gc", "--older-than", "0h"),
            cwd=folder,
            env=environment(folder),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert f"  {run_id} completed asks.ts\nDrop 1 run for good?" in asked.stderr
    assert ("dropped 1 run" in asked.stdout) == (left == 0)
    assert len(listed(folder)) == left


def test_compaction_gives_space_back_and_wants_the_store_alone(folder: Path) -> None:
    (folder / "waits.ts").write_text(
        "export const agent = (input, chidori) => new Promise((resolve) => setTimeout(resolve, 600_000));"
    )
    for size in (400_000, 400_001, 400_002):
        run(folder, "-i", f'{{"size": {size}}}')
    data = folder / ".chidori" / "store" / "data.mdb"
    with running(folder, "run", "waits.ts") as waiting:
        read_until(waiting, "timer")
        refused = chidori(folder, "gc", "--older-than", "0h", "--yes", "--compact")
        assert refused.returncode == 1
        assert refused.stdout.startswith("dropped 3 runs: ")
        assert "is in use" in refused.stderr
    before = data.stat().st_size
    done = chidori(folder, "gc", "--compact")
    assert "compacted the store: " in done.stdout, done.stderr
    assert data.stat().st_size < before
    assert len(listed(folder)) == 1


def test_ages_that_are_none_and_stores_that_are_missing(folder: Path) -> None:
    for age in ("30", "3m", "-1d", "d", "1.5d"):
        refused = chidori(folder, "gc", f"--older-than={age}")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"'{age}' is not an age; write 12h, 30d or 4w" in refused.stderr
    assert_refused(chidori(folder, "gc"), 1, "no store at")
