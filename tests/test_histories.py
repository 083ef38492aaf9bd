"""Runs recorded by an earlier build replay today: whoever changes the prelude, the engine or the lane sees it here.

Each file is an export of a finished run, source and all. They are never made anew to let a change pass: a change that
breaks one strands every run that users have paused.
"""

from pathlib import Path

import pytest

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.runtime import open_runtime
from chidori_actors.session.outcome import Completed
from chidori_actors.settings import load_settings
from chidori_actors.transfer import import_checkpoint

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_the_histories_are_there() -> None:
    assert len(HISTORIES) >= 7


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.stem)
async def test_a_recorded_run_replays_to_the_same_output(tmp_path: Path, history: Path) -> None:
    settings = load_settings({"CHIDORI_DB_PATH": str(tmp_path / "store")})
    store = LocalStore.open(settings.store)
    meta = await import_checkpoint(store, history.read_bytes())
    store.close()
    async with open_runtime(settings, create=False) as runtime:
        result = await runtime.replay(meta.id)
    assert isinstance(result.rest, Completed)
    assert result.rest.output == meta.output
