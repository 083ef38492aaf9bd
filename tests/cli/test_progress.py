"""Progress on a pseudo-terminal, apart from what goes to the standard output."""

import asyncio
import os
import pty
import re
import sys
from pathlib import Path

import pytest

from bench.recorded_run import store_run
from chidori_actors.cli import progress, run_command
from chidori_actors.journal.local_store import LocalStore
from tests.support.agents import write_agent

from .console import chidori, run_id_of
from .pseudo_terminal import plain, terminal, with_stdout_apart

SLOW = """
export async function agent(input, chidori) {
  let sum = 0;
  for (let call = 0; call < 2500; call++) {
    await chidori.log("call " + call);
    for (let i = 0; i < 20000; i++) sum += i % 7;  // a replay takes as long as that
  }
  return sum;
}
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run of thousands of calls whose replay takes seconds."""
    folder = tmp_path_factory.mktemp("slow")
    write_agent(folder, SLOW)
    return folder, run_id_of(chidori(folder, "run", "agent.ts", "-q"))


@pytest.mark.slow
def test_a_long_replay_shows_how_far_it_is_and_its_output_alone_is_on_stdout(slow: tuple[Path, str]) -> None:
    folder, run_id = slow
    code, stdout, shown = with_stdout_apart(folder, "replay", run_id)
    assert (code, stdout) == (0, chidori(folder, "replay", run_id).stdout.encode())
    counts = [int(count) for count in re.findall(r"replaying: calls\D+(\d+) of 2500", plain(shown))]
    assert len(counts) > 1, shown
    assert counts == sorted(counts)
    assert plain(shown).endswith("2500 calls answered from the record\n")
    assert "\x1b[?25h" in shown, "the cursor is back"


@pytest.mark.slow
def test_without_a_terminal_or_when_it_is_to_be_quiet_nothing_is_shown(slow: tuple[Path, str]) -> None:
    folder, run_id = slow
    assert chidori(folder, "replay", run_id).stderr == f"run {run_id}\n2500 calls answered from the record\n"
    assert with_stdout_apart(folder, "replay", run_id, "-q")[2] == f"run {run_id}\n"
    assert with_stdout_apart(folder, "verify", run_id, "-q") == (0, f"OK: {run_id}\n".encode(), "")


@pytest.mark.slow
def test_verify_shows_how_many_runs_are_done(slow: tuple[Path, str]) -> None:
    folder, run_id = slow
    code, stdout, shown = with_stdout_apart(folder, "verify", run_id, run_id)
    assert (code, stdout) == (0, f"OK: {run_id}\n".encode() * 2)
    assert re.search(r"verifying: runs\D+0 of 2", plain(shown))
    assert re.search(r"verifying: runs\D+1 of 2", plain(shown))


@pytest.mark.slow
def test_control_c_in_a_long_replay_leaves_the_terminal_usable(slow: tuple[Path, str]) -> None:
    folder, run_id = slow
    with terminal(folder, "replay", run_id) as screen:
        screen.read_until("replaying: calls")
        screen.type("\x03")
        assert screen.wait() == 130
    assert screen.shown.rindex("\x1b[?25h") < screen.shown.rindex("Interrupted.")


def test_large_runs_show_that_they_are_exported_and_imported(tmp_path: Path) -> None:
    asyncio.run(_store_large(tmp_path))
    code, stdout, shown = with_stdout_apart(tmp_path, "export", "large", "-o", "large.json")
    assert (code, stdout) == (0, b"")
    assert "exporting 3000 calls" in plain(shown)
    code, stdout, shown = with_stdout_apart(tmp_path, "import", "large.json", "--as", "again")
    assert (code, stdout) == (0, b"again\n")
    assert re.search(r"importing \d\.\d MB", plain(shown))
    quiet = with_stdout_apart(tmp_path, "import", "large.json", "--as", "third", "-q")
    assert quiet[1] == b"third\n"
    assert "importing" not in quiet[2]


async def _store_large(folder: Path) -> None:
    store = LocalStore.open(folder / ".chidori" / "store", durability="relaxed")
    try:
        await store_run(store, "large", calls=3000, branches=0)
    finally:
        store.close()


def test_gc_shows_what_it_walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_store_large(tmp_path))
    monkeypatch.setattr(progress, "AFTER_S", 0.0)
    monkeypatch.setenv("CHIDORI_DB_PATH", str(tmp_path / ".chidori" / "store"))
    monkeypatch.setenv("TERM", "xterm")
    descriptor, other_side = pty.openpty()
    with os.fdopen(other_side, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        assert run_command(["gc"]) == 0
        assert run_command(["gc", "--dry-run", "-q"]) == 0
    shown = plain(os.read(descriptor, 1 << 16).decode())
    os.close(descriptor)
    assert shown.count("looking for values that nothing refers to: ") >= 1
    assert "entries read" in shown
    assert "looking at run" not in shown
