"""``chidori resume FILE`` of a run that was imported: the agent, and what lies beside it, is where FILE says."""

from pathlib import Path

import pytest

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run

from .console import chidori, run_id_of

PARENT = """
export async function agent(input, chidori) {
  const name = await chidori.input("Name?");
  return await chidori.callAgent("kid.ts", { name });
}
"""
KID = 'export async function agent(input, chidori) { return input.name + ", " + (await chidori.input("More?")); }\n'


@pytest.fixture
def moved(tmp_path: Path) -> tuple[Path, Path, str]:
    """A folder with a store that a paused run was imported into, the folder its files are in, and the run's id."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "chidori.json").write_text("{}")
    (here / "par.ts").write_text(PARENT)
    (here / "kid.ts").write_text(KID)
    run_id = run_id_of(chidori(here, "run", "par.ts"))
    exported = chidori(here, "export", run_id)
    imported = chidori(there, "import", "-", stdin=exported.stdout)
    assert imported.returncode == 0, imported.stderr
    return there, here, run_id


def _agent_of(folder: Path, run_id: str) -> str:
    store = LocalStore.open(folder / ".chidori" / "store")
    try:
        return get_run(store, run_id).agent
    finally:
        store.close()


@pytest.mark.parametrize("option", [None, "--recorded-source", "--allow-source-change"])
def test_sub_agents_are_looked_for_beside_the_file_and_it_stays_known(
    moved: tuple[Path, Path, str], option: str | None
) -> None:
    folder, files, run_id = moved
    options = [] if option is None else [option]
    paused = chidori(folder, "resume", str(files / "par.ts"), run_id, "--answer", "Ada", *options)
    assert paused.returncode == 3, paused.stderr
    assert f"chidori resume {files}/par.ts {run_id} --answer" in paused.stderr
    assert _agent_of(folder, run_id) == f"{files}/par.ts"
    done = chidori(folder, "resume", str(files / "par.ts"), run_id, "--answer", "bye")
    assert (done.returncode, done.stdout) == (0, '"Ada, bye"\n'), done.stderr


def test_the_recorded_source_needs_no_file_and_leaves_the_path_alone(moved: tuple[Path, Path, str]) -> None:
    folder, files, run_id = moved
    failed = chidori(folder, "resume", "gone/par.ts", run_id, "--answer", "Ada", "--recorded-source")
    assert failed.returncode == 1
    assert "there is no agent kid.ts" in failed.stderr
    assert _agent_of(folder, run_id) == "par.ts"
    mended = chidori(folder, "resume", str(files / "par.ts"), run_id)
    assert (mended.returncode, mended.stderr.count("More?") > 0) == (3, True), mended.stderr


def test_the_same_file_by_another_name_leaves_the_path_alone(moved: tuple[Path, Path, str]) -> None:
    _, files, run_id = moved
    assert chidori(files, "resume", str(files / "par.ts"), run_id, "--answer", "Ada").returncode == 3
    assert _agent_of(files, run_id) == "par.ts"


def test_a_branch_of_an_imported_run_names_the_way_to_its_sub_agents(moved: tuple[Path, Path, str]) -> None:
    folder, files, run_id = moved
    done = chidori(files, "resume", "par.ts", run_id, stdin="Ada\nbye\n")
    assert done.returncode == 0, done.stderr
    imported = chidori(folder, "import", "-", "--as", "whole", stdin=chidori(files, "export", run_id).stdout)
    assert imported.returncode == 0, imported.stderr
    failed = chidori(folder, "branch", "whole", "--at", "1", "--result", '"Grace"', "--as", "b")
    assert failed.returncode == 1, failed.stderr
    assert "there is no agent kid.ts" in failed.stderr
    assert "`chidori resume FILE RUN_ID` with that file looks beside it" in failed.stderr
    went_on = chidori(folder, "resume", str(files / "par.ts"), "b", stdin="now\n")
    assert (went_on.returncode, went_on.stdout) == (0, '"Grace, now"\n'), went_on.stderr


def test_an_imported_run_reaches_no_further_up_than_where_its_file_would_be(tmp_path: Path) -> None:
    agents, there = tmp_path / "here" / "agents", tmp_path / "there"
    for folder in (agents, there):
        folder.mkdir(parents=True)
    (tmp_path / "here" / "chidori.json").write_text("{}")
    (agents / "par.ts").write_text(PARENT.replace("kid.ts", "../kid.ts"))
    run_id = run_id_of(chidori(agents, "run", "par.ts"))
    imported = chidori(there, "import", "-", stdin=chidori(agents, "export", run_id).stdout)
    assert imported.returncode == 0, imported.stderr
    (tmp_path / "kid.ts").write_text(KID)
    refused = chidori(there, "resume", "par.ts", run_id, "--recorded-source", "--answer", "Ada")
    assert refused.returncode == 1
    assert "the agent ../kid.ts lies outside of the project" in refused.stderr
