"""Lanes: entries come back byte for byte, damage is named, retries take back what they must."""

import asyncio
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.errors import StoreError
from chidori_actors.journal.lanes import (
    Entry,
    Retried,
    Settled,
    Started,
    apply_retries,
    encode_entry,
    lane_length,
    new_lane,
    read_lane,
)
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write

WEIRD = [
    b"null",
    b"1e21",
    b"1.0",
    b"-0",
    b"12345678901234567890",
    b'"\\ud83d"',
    b'{"a" : [1,\n 2]}',
    '"é\u2028"'.encode(),
    b'"' + b"x" * 5000 + b'"',
]
texts = st.sampled_from(WEIRD) | st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)
).map(orjson.dumps)
numbers = st.integers(0, 2**53)
words = st.text(max_size=8)
values: st.SearchStrategy[Any] = st.none() | st.integers(-(2**63), 2**63 - 1) | words | st.just("\ud83d")
objects = st.dictionaries(words, values, max_size=3)
errors = st.fixed_dictionaries({"message": words, "name": words, "data": objects})
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        Started,
        ordinal=numbers,
        seq=numbers,
        after=st.integers(-1, 1000),
        function=words,
        args=texts,
        at_ms=numbers,
        site=st.none() | words,
        parent_seq=st.none() | numbers,
        attempt=st.integers(1, 3),
    ),
    st.builds(
        Settled,
        ordinal=numbers,
        index=numbers,
        at_ms=numbers,
        duration_ms=st.floats(0, 1e9),
        value=st.none() | texts,
        error=st.none() | errors,
        cancelled=st.sampled_from([None, "cancelled", "outcome unknown"]),
        token_usage=st.none() | st.dictionaries(words, numbers, max_size=2),
        notes=objects,
    ),
    st.builds(Retried, ordinal=numbers, at_ms=numbers),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=5))
def test_entries_come_back_as_they_were_written(store: LocalStore, written: list[Entry]) -> None:
    async def put() -> int:
        lane = await new_lane(store, "run")
        for number, entry in enumerate(written):
            await store.commit(encode_entry(lane, number, entry))
        return lane

    lane = asyncio.run(put())
    assert list(read_lane(store, lane)) == written
    assert list(read_lane(store, lane, start=2)) == written[2:]
    assert lane_length(store, lane) == len(written)


async def test_a_large_value_is_stored_once_however_often_it_occurs(store: LocalStore) -> None:
    text = orjson.dumps("word " * 10_000)
    for number in range(20):
        await store.commit(encode_entry(1, number, Settled(number, number, 0, 1, value=text)))
    assert len(list(store.scan("blobs"))) == 1
    assert all(len(value) < 300 for _, value in store.scan("lanes"))
    assert [entry.value for entry in read_lane(store, 1) if isinstance(entry, Settled)] == [text] * 20


async def test_lanes_do_not_run_into_each_other(store: LocalStore) -> None:
    for lane in (255, 256, 257):
        await store.commit(encode_entry(lane, 0, Retried(lane, 0)))
    assert list(read_lane(store, 256)) == [Retried(256, 0)]


def _key(number: int) -> bytes:
    return (1).to_bytes(8, "big") + number.to_bytes(8, "big")


async def test_a_damaged_entry_is_named_with_the_way_out(store: LocalStore) -> None:
    for number in range(3):
        await store.commit(encode_entry(1, number, Started(number, number, 0, "log", b"{}", 0)))
    good = store.get("lanes", _key(1)) or b""

    def sealed(body: bytes) -> bytes:
        return zlib.crc32(body).to_bytes(4, "big") + body

    mangled = [
        b"",
        b"abc",
        good[:-1],
        good[:-1] + b"]",
        sealed(b"[]\n"),
        sealed(b"{\n"),
        sealed(b'{"raw":[]}\n'),
    ]
    mangled += [sealed(b'{"raw":[],"t":"started"}\n'), sealed(b'{"raw":3,"t":"started"}\n')]
    for value in mangled:
        await store.commit([Write("lanes", _key(1), value)])
        with pytest.raises(StoreError, match=r"entry 1 of lane 1 .* is damaged") as caught:
            list(read_lane(store, 1))
        assert caught.value.hint
    await store.commit([Write("lanes", _key(1), None)])
    with pytest.raises(StoreError, match=r"entry 1 of lane 1 .* is missing"):
        list(read_lane(store, 1))


async def test_a_missing_or_mangled_blob_is_named(store: LocalStore) -> None:
    writes = encode_entry(1, 0, Settled(1, 1, 0, 1, value=b'"' + b"x" * 9000 + b'"'))
    await store.commit(writes)
    blob = next(write for write in writes if write.database == "blobs")
    await store.commit([Write("blobs", blob.key, None)])
    with pytest.raises(StoreError, match=r"entry 0 of lane 1 .* is missing \(blob"):
        list(read_lane(store, 1))
    for mangled in (b"", b"garbage", b"(\xb5/\xfd\xa0\xff\xff\xff\x7f"):
        await store.commit([Write("blobs", blob.key, mangled)])
        with pytest.raises(StoreError, match=r"entry 0 of lane 1 .* is damaged \(blob"):
            list(read_lane(store, 1))
        await store.commit([Write("blobs", blob.key, None)])


def _call(ordinal: int, after: int) -> Started:
    return Started(ordinal, ordinal, after, "prompt", b"{}", 0)


def test_a_retry_takes_back_the_settlement_and_what_followed_from_it() -> None:
    lane: list[Entry] = [
        _call(1, 0),
        Settled(1, 1, 0, 1, value=b"1"),
        _call(2, 1),
        _call(3, 1),
        _call(4, 1),
        Settled(3, 2, 0, 1, value=b"3"),
        Settled(2, 3, 0, 1, error={"message": "no"}),
        _call(5, 3),
        Settled(5, 4, 0, 1, value=b"5"),
        Settled(4, 5, 0, 1, cancelled="cancelled"),
    ]
    expected = [lane[0], lane[1], lane[2], lane[3], lane[4], lane[5]]
    assert apply_retries([*lane, Retried(2, 0)]) == expected
    again: list[Entry] = [Settled(2, 6, 0, 1, value=b"2"), _call(5, 3)]
    assert apply_retries([*lane, Retried(2, 0), *again]) == [*expected, *again]
    assert apply_retries([*lane, Retried(2, 0), Retried(2, 0)]) == expected


def test_a_later_settlement_of_an_earlier_call_stays() -> None:
    lane: list[Entry] = [_call(1, 0), _call(2, 0), Settled(1, 1, 0, 1), _call(3, 1), Settled(2, 2, 0, 1)]
    assert apply_retries([*lane, Retried(1, 0)]) == [lane[0], lane[1], lane[4]]


@st.composite
def lanes(draw: st.DrawFn) -> list[Entry]:
    """A lane as an actor makes it: calls are made, and those in flight end, in any order."""
    lane: list[Entry] = []
    flying: list[int] = []
    made = delivered = 0
    for index in range(draw(st.integers(0, 25))):
        if not flying or draw(st.booleans()):
            made += 1
            flying.append(made)
            lane.append(_call(made, delivered))
        else:
            ordinal = flying.pop(draw(st.integers(0, len(flying) - 1)))
            lane.append(Settled(ordinal, index, 0, 1, value=b"1"))
            delivered += 1
    lane += [Settled(ordinal, 100 + ordinal, 0, 1, cancelled="cancelled") for ordinal in flying]
    return lane


@given(lanes(), st.integers(1, 25))
def test_what_counts_after_a_retry_is_what_did_not_depend_on_it(lane: list[Entry], ordinal: int) -> None:
    effective = apply_retries([*lane, Retried(ordinal, 0)])
    deliveries = [entry.ordinal for entry in lane if isinstance(entry, Settled) and entry.delivered]
    if ordinal not in deliveries:
        assert effective == lane
        return
    position = deliveries.index(ordinal) + 1
    kept = {entry.ordinal for entry in lane if isinstance(entry, Started) and entry.after < position}
    assert {entry.ordinal for entry in effective if isinstance(entry, Started)} == kept
    settled = [entry for entry in effective if isinstance(entry, Settled)]
    assert all(entry.delivered for entry in settled)
    assert [entry.ordinal for entry in settled] == [o for o in deliveries if o in kept and o != ordinal]
    # Nothing refers to a delivery that is not there any more: every call saw what still comes before it.
    before = 0
    for entry in effective:
        if isinstance(entry, Started):
            assert entry.after <= before
        elif isinstance(entry, Settled):
            before += 1
