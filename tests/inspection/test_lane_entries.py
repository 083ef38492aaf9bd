"""Lanes that begin with the entries of others, read at once."""

from pathlib import Path

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.inspection.comparison import compare_runs
from chidori_actors.inspection.lane_entries import LaneEntries
from chidori_actors.inspection.picture import RunPicture
from chidori_actors.journal.bases import base_write
from chidori_actors.journal.lanes import RUN_LANES, Entry, Settled, Started, encode_entry, read_lane
from chidori_actors.journal.runs import RunMeta, run_writes
from chidori_actors.journal.store import Store, Write
from tests.support.agents import runtime_in


def _entries(count: int, first: int = 0) -> list[Entry]:
    """Entries of calls that each end right after they were made, from that place on."""
    return [
        Settled(place // 2 + 1, place + 1, place, 1.0, value=b"1")
        if place % 2
        else Started(place // 2 + 1, place + 1, place, "log", b"{}", place)
        for place in range(first, first + count)
    ]


async def _store_branch(store: Store, number: int, length: int, own: int) -> RunMeta:
    """The run ``number``, a branch of the one before it that has its first ``length`` entries and ``own`` ones."""
    lane = number * RUN_LANES
    writes: list[Write] = []
    if number > 1:
        writes.append(base_write(lane, lane - RUN_LANES, length))
    for place, entry in enumerate(_entries(own, length), start=length):
        writes += encode_entry(lane, place, entry)
    branch = {"parent_run_id": f"run-{number - 1}", "at_seq": 1, "at_index": 1}
    meta = RunMeta(f"run-{number}", "/a.ts", "completed", b"{}", number, number, "00", 0, lane, {})
    if number > 1:
        meta = RunMeta(f"run-{number}", "/a.ts", "completed", b"{}", number, number, "00", 0, lane, {}, branch=branch)
    await store.commit([*writes, *run_writes(meta, new=True)])
    return meta


async def _read(store: Store, meta: RunMeta) -> list[Entry]:
    entries = LaneEntries(store)
    await entries.read_family(meta)
    return [entry for entry, _ in entries.lane(meta.lane)]


async def test_a_branch_of_a_branch_and_so_on_is_read_however_many_there_are(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        store = runtime.store
        for number in range(1, 1_300):
            meta = await _store_branch(store, number, 0 if number == 1 else 4, 6 if number == 1 else 2)
        assert await _read(store, meta) == list(read_lane(store, meta.lane)) == _entries(6)


async def test_what_comes_from_further_up_is_found_past_a_shorter_one(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        store = runtime.store
        for number, (length, own) in enumerate([(0, 10), (8, 4), (10, 2), (4, 2), (6, 0)], start=1):
            meta = await _store_branch(store, number, length, own)
            assert await _read(store, meta) == list(read_lane(store, meta.lane)), number
        assert len(await _read(store, meta)) == 6


async def test_a_branch_that_shares_more_than_there_is_is_said_to_be_damaged(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        await _store_branch(runtime.store, 1, 0, 4)
        meta = await _store_branch(runtime.store, 2, 6, 2)
        with pytest.raises(StoreError, match="entry 4 of lane"):
            await _read(runtime.store, meta)


async def test_what_a_branch_shares_is_shown_as_if_it_had_ended_when_the_branch_was_made(tmp_path: Path) -> None:
    day = 86_400_000
    async with runtime_in(tmp_path) as runtime:
        store = runtime.store
        first, second = RUN_LANES, 2 * RUN_LANES
        parent = RunMeta("old", "/a.ts", "completed", b"{}", 0, 40, "00", 0, first, {})
        branch = {"parent_run_id": "old", "at_seq": 2, "at_index": 2}
        meta = RunMeta("new", "/a.ts", "completed", b"{}", day, day + 9, "00", 0, second, {}, branch=branch)
        made = [Started(number, number, 0, "log", b"{}", number * 10) for number in (1, 2)]
        ends = [Settled(number, number, number * 10 + 5, 5.0, value=b"1") for number in (1, 2)]
        edited = Settled(2, 2, day + 1, 0.0, value=b"2")
        writes = [*run_writes(parent, new=True), *run_writes(meta, new=True), base_write(second, first, 3)]
        entries: list[Entry] = [made[0], ends[0], made[1], ends[1]]
        for place, entry in enumerate(entries):
            writes += encode_entry(first, place, entry)
        await store.commit([*writes, *encode_entry(second, 3, edited)])

        picture = RunPicture(store, "new")
        await picture.refresh(None)
        calls = picture.contents.listed
        assert [(call.began_ms, call.ended_ms) for call in calls] == [(10, 15), (20, day + 1)]
        # The answer that was replaced had come at 25, which is when the branch was made: a day later.
        assert [(call.begin_ms, call.end_ms) for call in calls] == [(day - 15, day - 10), (day - 5, day + 1)]
        assert (picture.started_ms, picture.now_ms) == (day - 15, day + 9)

        old = RunPicture(store, "old")
        await old.refresh(None)
        compared = await compare_runs(store, old, picture)
        assert [pair.kind for pair in compared.pairs] == ["shared", "changed"]
