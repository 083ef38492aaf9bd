"""Lanes that share another lane's entries: read as one, at any depth, with images, forks and counters."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.errors import StoreError
from chidori_actors.journal.bases import base_write
from chidori_actors.journal.forks import StoredFork, fork_write, get_fork
from chidori_actors.journal.images import image_write, newest_image
from chidori_actors.journal.lanes import (
    RUN_LANES,
    Entry,
    Retried,
    Settled,
    Started,
    apply_retries,
    encode_entry,
    lane_length,
    last_counters,
    new_lane,
    read_lane,
)
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write


def _call(ordinal: int, seq: int | None = None, after: int = 0) -> Started:
    return Started(ordinal, seq or ordinal, after, "prompt", b'"call %d"' % ordinal, 0)


def _result(ordinal: int, index: int) -> Settled:
    return Settled(ordinal, index, 0, 1, value=b'"answer %d"' % index)


async def _put(store: LocalStore, lane: int, entries: list[Entry], first: int = 0) -> None:
    await store.commit(
        [write for number, entry in enumerate(entries, first) for write in encode_entry(lane, number, entry)]
    )


async def test_the_lanes_of_a_run_are_a_range_of_their_own(store: LocalStore) -> None:
    assert [await new_lane(store, "run") for _ in range(3)] == [RUN_LANES, 2 * RUN_LANES, 3 * RUN_LANES]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1, max_size=6), st.data())
def test_a_lane_on_lanes_reads_as_one_whole(
    store: LocalStore, links: list[tuple[int, int]], data: st.DataObject
) -> None:
    async def build() -> tuple[int, list[Entry]]:
        lane, number = await new_lane(store, "run"), 0
        whole: list[Entry] = []
        for length, own in links:
            length = min(length, len(whole))
            base, lane = lane, await new_lane(store, "run")
            added: list[Entry] = [Retried(number + place, lane) for place in range(own)]
            number += own
            await store.commit([base_write(lane, base, length)])
            await _put(store, lane, added, length)
            whole = [*whole[:length], *added]
        return lane, whole

    lane, whole = asyncio.run(build())
    assert list(read_lane(store, lane)) == whole
    assert lane_length(store, lane) == len(whole)
    start = data.draw(st.integers(0, len(whole)))
    limit = data.draw(st.integers(0, len(whole) + 1))
    assert list(read_lane(store, lane, start=start)) == whole[start:]
    assert list(read_lane(store, lane, start=start, limit=limit)) == whole[start : start + limit]


async def test_what_the_base_lacks_is_named(store: LocalStore) -> None:
    await _put(store, 1, [_call(1), _result(1, 1), _call(2)])
    await store.commit([base_write(2, 1, 3)])
    await store.commit([Write("lanes", (1).to_bytes(8, "big") + (2).to_bytes(8, "big"), None)])
    with pytest.raises(StoreError, match=r"entry 2 of lane 1 .* is missing"):
        list(read_lane(store, 2))
    await _put(store, 2, [_result(2, 2)], 3)
    with pytest.raises(StoreError, match=r"entry 2 of lane 1 .* is missing"):
        list(read_lane(store, 2))
    key = b"base/" + (2).to_bytes(8, "big")
    good = store.get("meta", key) or b""
    await store.commit([Write("meta", key, good[:-1])])
    with pytest.raises(StoreError, match=r"the base of lane 2 .* is damaged"):
        list(read_lane(store, 2))
    await store.commit([Write("meta", key, None)])
    with pytest.raises(StoreError, match=r"entry 0 of lane 2 .* is missing"):
        list(read_lane(store, 2))


def test_a_lane_cannot_be_its_own_base() -> None:
    for lane, base, length in ((2, 2, 1), (2, 3, 1), (2, 1, -1)):
        with pytest.raises(ValueError, match="cannot begin with"):
            base_write(lane, base, length)


async def test_an_image_of_the_base_serves_only_within_what_is_shared(store: LocalStore) -> None:
    await store.commit(
        [
            image_write(1, 1, {"length": 4}, b"early"),
            image_write(1, 2, {"length": 6}, b"late"),
            image_write(1, 3, {"length": 7}, b"beyond"),
            image_write(1, 4, {}, b"of unknown length"),
            base_write(2, 1, 6),
            base_write(3, 2, 9),
            base_write(4, 2, 5),
        ]
    )

    def newest(lane: int, at_most: int | None = None) -> tuple[int, int, bytes] | None:
        image, rejected = newest_image(store, lane, at_most=at_most)
        assert rejected == []
        return (image.lane, image.delivered, image.payload) if image else None

    assert newest(1) == (1, 4, b"of unknown length")
    assert newest(2) == newest(3) == (1, 2, b"late")
    assert newest(4) == newest(3, at_most=1) == (1, 1, b"early")
    assert newest(3, at_most=0) is None
    await store.commit([image_write(2, 9, {"length": 8}, b"own")])
    assert newest(2) == newest(3) == (2, 9, b"own")
    assert newest(4) == (1, 1, b"early")


async def test_a_fork_comes_back_and_is_kept_as_a_header_when_its_branches_have_ended(store: LocalStore) -> None:
    header = {"golden": "ab", "pending": [1, 2]}
    assert get_fork(store, 1, 7) is None
    await store.commit([fork_write(1, 7, 3, header, b"pages" * 1000)])
    assert get_fork(store, 1, 7) == StoredFork(3, header, b"pages" * 1000)
    assert get_fork(store, 1, 8) is None
    key = (1).to_bytes(8, "big") + (7).to_bytes(8, "big")
    good = store.get("forks", key) or b""
    for damaged in (good[:-1], good[:-9] + b"\0" * 9):
        await store.commit([Write("forks", key, damaged)])
        assert get_fork(store, 1, 7) == StoredFork(3, header, None)
    for damaged in (b"", good[:3], good[:20], good[:10] + b"\0" + good[11:]):
        await store.commit([Write("forks", key, damaged)])
        with pytest.raises(StoreError, match=r"the fork of lane 1 at call #7 .* is damaged"):
            get_fork(store, 1, 7)
    await store.commit([fork_write(1, 7, 3, header, None)])
    assert get_fork(store, 1, 7) == StoredFork(3, header, None)


async def test_a_fork_of_the_base_is_found_only_within_what_is_shared(store: LocalStore) -> None:
    await _put(store, 1, [_call(1), _call(2, 2), _result(1, 1), _call(3, 5), _call(4, 6)])
    forks = [fork_write(1, seq, seq, {"of": seq}, b"payload %d" % seq) for seq in (2, 5, 6)]
    await store.commit([*forks, base_write(2, 1, 3), base_write(3, 2, 3), base_write(4, 1, 4)])
    assert [get_fork(store, 2, seq) is None for seq in (2, 5, 6)] == [False, True, True]
    assert [get_fork(store, 3, seq) is None for seq in (2, 5, 6)] == [False, True, True]
    assert [get_fork(store, 4, seq) is None for seq in (2, 5, 6)] == [False, False, True]
    await store.commit([fork_write(3, 5, 9, {"of": "own"}, None)])
    own = get_fork(store, 3, 5)
    assert own is not None
    assert own.header == {"of": "own"}


async def test_counters_are_found_at_the_end_of_a_lane_without_reading_all_of_it(store: LocalStore) -> None:
    await _put(store, 1, [_call(number, number) for number in range(1, 400)])
    await _put(store, 1, [_result(number, 2 * number) for number in range(1, 300)], 399)
    assert last_counters(store, 1) == (399, 598)
    assert last_counters(store, 2) == (0, 0)
    await store.commit([Write("lanes", (1).to_bytes(8, "big") + (5).to_bytes(8, "big"), b"damaged")])
    assert last_counters(store, 1) == (399, 598)
    await store.commit([base_write(2, 1, 450), base_write(3, 2, 400)])
    assert last_counters(store, 2) == (399, 102)
    assert last_counters(store, 3) == (399, 2)
    await _put(store, 3, [_call(900, 900), Settled(-4, 777, 0, 1, value=b"1")], 400)
    assert last_counters(store, 3) == (900, 777)


async def test_an_inherited_settlement_does_not_hide_a_later_one_of_the_actor(store: LocalStore) -> None:
    await _put(store, 1, [_call(1, 5), _result(1, 9), _call(2, 6), Settled(-2, 3, 0, 1, value=b"1")])
    assert last_counters(store, 1) == (6, 9)


async def test_counters_of_an_imported_lane_need_not_ascend(store: LocalStore) -> None:
    lane: list[Entry] = [replace(_call(1, 9), after=-1), _result(1, 8), replace(_call(2, 4), after=-1), _result(2, 3)]
    await _put(store, 1, lane)
    assert last_counters(store, 1) == (9, 8)


def test_an_inherited_settlement_counts_as_a_delivery_when_a_call_is_taken_back() -> None:
    inherited = Settled(-3, 2, 0, 1, value=b'"from the parent"')
    lane: list[Entry] = [_call(1), inherited, _call(2, after=1), _result(1, 3), _call(3, after=2)]
    assert inherited.delivered
    assert apply_retries([*lane, Retried(1, 0)]) == lane[:3]
