"""What of a large run is shown when there is little room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.recorded_run import BEGAN_MS, store_run
from chidori_actors.cli.live_tree import Line
from chidori_actors.cli.live_view import LiveView
from chidori_actors.inspection.picture import RunPicture
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.totals import run_totals


@asynccontextmanager
async def large_run(
    tmp_path: Path, *, calls: int, branches: int, fails_every: int
) -> AsyncIterator[tuple[LocalStore, RunPicture]]:
    store = LocalStore.open(tmp_path / "store", durability="relaxed")
    try:
        await store_run(store, "large", calls=calls, branches=branches, fails_every=fails_every)
        picture = RunPicture(store, "large")
        await picture.refresh(None)
        yield store, picture
    finally:
        store.close()


def frame(store: LocalStore, picture: RunPicture, width: int, height: int) -> list[Line]:
    return LiveView(store, picture).frame(run_totals(store, picture.run), BEGAN_MS, width, height)


@pytest.mark.parametrize("height", [5, 12, 24, 60])
async def test_ten_thousand_calls_and_five_hundred_branches_fit_any_terminal(tmp_path: Path, height: int) -> None:
    async with large_run(tmp_path, calls=10_000, branches=500, fails_every=1999) as (store, picture):
        lines = frame(store, picture, 100, height)
    assert len(lines) <= height
    assert lines[0].text.startswith("recorded.ts  completed")
    assert lines[1].text.startswith("10000 calls: 5 failed")
    failed = [line.text for line in lines if line.state == "failed"]
    if height >= 12:
        assert len(lines) == height, "the room is used"
        assert any(text.startswith("#9995 prompt failed") for text in failed), "the newest failure first"
    if height >= 24:
        assert len(failed) >= 5
        folded = next(line.text for line in lines if line.text.startswith("… ") and "branches" in line.text)
        shown = sum(line.text.startswith("b") for line in lines)
        assert folded == f"… {500 - shown} branches: {500 - shown} done"


async def test_a_run_that_fits_is_shown_whole_and_in_order(tmp_path: Path) -> None:
    async with large_run(tmp_path, calls=24, branches=2, fails_every=0) as (store, picture):
        lines = frame(store, picture, 100, 40)
    assert not any(line.text.startswith("…") for line in lines)
    shown = [(line.depth, line.text.split()[0]) for line in lines[2:-1]]
    inside = [(0, "#1"), (1, "b0"), (2, "#2"), (2, "#3"), (1, "b1"), (2, "#4"), (2, "#5")]
    assert shown == [*inside, *((0, f"#{seq}") for seq in range(6, 25))]
