"""Garbage collection: what goes, what stays, beside other writers, and cut off at every transaction."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.errors import RunNotFound, StoreError
from chidori_actors.journal.actors import ActorMeta, actor_writes, run_actors
from chidori_actors.journal.approvals import approval_write, get_approval
from chidori_actors.journal.bases import base_write
from chidori_actors.journal.blobs import blob_write, get_blob
from chidori_actors.journal.collection import Collected, collect
from chidori_actors.journal.forks import fork_write
from chidori_actors.journal.images import image_write
from chidori_actors.journal.lanes import Settled, encode_entry, lane_length, new_lane, read_lane
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.runs import RunMeta, Status, get_run, list_runs, run_writes
from chidori_actors.journal.store import Write
from chidori_actors.journal.writes import DATABASES, Database

LIMIT_S = 60.0
DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000 + 100 * DAY_MS


def _large(text: str) -> bytes:
    return b'"' + text.encode() * 5000 + b'"'


def _settled(number: int, value: bytes) -> Settled:
    return Settled(number, number, 0, 1, value=value)


async def _run(
    store: LocalStore, run_id: str, *, days: float = 50, status: Status = "completed", parent: RunMeta | None = None
) -> RunMeta:
    """A run with something in every database, ``days`` old."""
    lane = await new_lane(store, "run")
    source, source_in = blob_write(_large(f"source of {run_id} "))
    meta = RunMeta(
        id=run_id,
        agent="a.ts",
        status=status,
        input=_large(f"input of {run_id} "),
        created_at_ms=NOW_MS - int(days * DAY_MS),
        updated_at_ms=NOW_MS,
        seed="0f",
        epoch_ms=0,
        lane=lane,
        policy={},
        bundle=source,
        branch=None if parent is None else {"parent_run_id": parent.id, "at_seq": 1, "at_index": 1},
    )
    branch = ActorMeta(lane + 1, "1/b0", "branch", lane, 1, 0, "running", 0, bundle=source)
    first = 0
    writes: list[Write] = []
    if parent is not None:
        first = 1
        writes.append(base_write(lane, parent.lane, first))
    lease = await Lease.acquire(store, run_id, "a test")
    writes += [source_in, *run_writes(meta, new=True), *actor_writes(replace(branch, input=_large(f"of {run_id} ")))]
    writes += encode_entry(lane, first, _settled(1, _large(f"first of {run_id} ")))
    writes += encode_entry(lane, first + 1, _settled(2, _large("common ")))
    writes += encode_entry(lane + 1, 0, _settled(1, b"1"))
    writes += [image_write(lane + 1, 1, {"length": 1}, b"image"), fork_write(lane, 1, 1, {}, b"fork")]
    writes.append(approval_write(run_id, "http", "ab", "allow"))
    await store.commit(writes, fence=lease.fence)
    lease.release()
    return meta


def _is_whole(store: LocalStore, meta: RunMeta) -> bool:
    """Whether everything of the run can be read."""
    assert get_run(store, meta.id) == meta
    assert len(list(read_lane(store, meta.lane))) == lane_length(store, meta.lane) == (3 if meta.branch else 2)
    assert len(run_actors(store, meta.lane)) == len(list(read_lane(store, meta.lane + 1))) == 1
    return bool(get_blob(store, meta.bundle or ""))


def _rest(store: LocalStore) -> dict[Database, int]:
    """How many keys each database has, the counter and the format of the store aside."""
    found = {
        database: [key for key in store.keys(database) if key not in (b"lanes", b"format")] for database in DATABASES
    }
    return {database: len(keys) for database, keys in found.items() if keys}


async def _collect(store: LocalStore, days: float | None = 30) -> Collected:
    return await collect(store, older_than_ms=None if days is None else int(days * DAY_MS), now_ms=NOW_MS)


async def test_an_old_run_goes_with_all_that_is_its_own(store: LocalStore) -> None:
    memory = StoredMemory(store)
    await store.commit([memory.put("project", "key", _large("memory "))])
    kept = [
        await _run(store, "young", days=29),
        await _run(store, "running", status="running"),
        await _run(store, "paused", status="paused"),
        await _run(store, "asking", status="awaitingapproval"),
    ]
    for status in ("completed", "failed", "cancelled"):
        await _run(store, f"old-{status}", status=status)
    before = _rest(store)
    collected = await _collect(store)
    assert (collected.runs, collected.kept) == (3, ())
    assert collected.blobs == 3 * 4
    assert collected.values == 3 * 6
    assert collected.value_bytes > 0
    assert collected.blob_bytes > 0
    assert all(_is_whole(store, meta) for meta in kept)
    assert {meta.id for meta in list_runs(store).runs} == {meta.id for meta in kept}
    for run_id in ("old-completed", "old-failed", "old-cancelled"):
        with pytest.raises(RunNotFound):
            get_run(store, run_id)
        assert get_approval(store, run_id, "http", "ab") is None
    after = _rest(store)
    one = {"runs": 1, "by_time": 1, "lanes": 3, "actors": 1, "images": 1, "forks": 1, "approvals": 1, "meta": 2}
    expected = {name: count - 3 * one.get(name, 0) for name, count in before.items()}
    assert after == expected | {"blobs": before["blobs"] - 12}
    assert memory.get("project", "key") == _large("memory ")
    assert await _collect(store) == Collected(0, 0, 0, 0, 0, ())


async def test_nothing_is_left_of_runs_that_all_go_and_without_an_age_only_blobs_go(store: LocalStore) -> None:
    for number in range(5):
        await _run(store, f"run-{number}")
    _, orphan = blob_write(_large("nobody's "))
    await store.commit([orphan])
    assert await _collect(store, None) == Collected(0, 0, 0, 1, 32 + len(orphan.value or b""), ())
    assert (await _collect(store)).runs == 5
    assert _rest(store) == {}


async def test_a_run_stays_whole_while_a_kept_run_is_a_branch_of_it(store: LocalStore) -> None:
    parent = await _run(store, "parent", days=90)
    child = await _run(store, "child", days=80, parent=parent)
    young = await _run(store, "grandchild", days=1, parent=child)
    await _run(store, "other-child", days=70, parent=parent)
    collected = await _collect(store)
    assert (collected.runs, set(collected.kept)) == (1, {"parent", "child"})
    assert all(_is_whole(store, meta) for meta in (parent, child, young))
    assert (await _collect(store, 0)).runs == 3
    assert _rest(store) == {}


async def test_a_damaged_branch_keeps_its_parent(store: LocalStore) -> None:
    parent = await _run(store, "parent")
    await _run(store, "branch", parent=parent)
    await store.commit([Write("runs", b"branch", b"damaged")])
    assert (await _collect(store)).kept == ("parent",)
    assert _is_whole(store, parent)


async def test_a_run_that_somebody_owns_stays(store: LocalStore) -> None:
    meta = await _run(store, "owned", status="failed")
    lease = await Lease.acquire(store, "owned", "a resume")
    assert (await _collect(store)).kept == ("owned",)
    assert _is_whole(store, meta)
    lease.release()
    assert (await _collect(store)).runs == 1


async def test_two_collections_at_once_are_refused(store: LocalStore) -> None:
    assert store.locks().lock("garbage collection")
    with pytest.raises(StoreError, match="being collected already") as caught:
        await _collect(store)
    assert caught.value.hint
    store.locks().unlock("garbage collection")
    await _collect(store)


async def test_a_blob_that_is_referred_to_again_meanwhile_stays(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run writes a value at each stage of the sweep that, when it was marked, nobody had."""
    values = [_large(f"value {number} ") for number in range(6)]
    for value in values:
        await store.commit([blob_write(value)[1]])
    written: list[bytes] = []
    keys = LocalStore.keys

    def keys_and_a_writer(self: LocalStore, database: Database, prefix: bytes = b"", **options: Any) -> Iterator[bytes]:
        found = list(keys(self, database, prefix, **options))
        if database in ("blobs", "condemned"):
            writes = encode_entry(1, len(written), _settled(1, values[len(written)]))
            written.append(values[len(written)])
            self.decide("meta", b"base/", lambda bases: writes)
        return iter(found)

    monkeypatch.setattr(LocalStore, "keys", keys_and_a_writer)
    collected = await _collect(store)
    assert len(written) == 3
    assert [entry.value for entry in read_lane(store, 1) if isinstance(entry, Settled)] == written
    assert collected.blobs == len(values) - len(written)
    assert not list(store.scan("condemned"))


async def test_a_condemned_blob_can_be_read_until_it_is_decided_on(store: LocalStore) -> None:
    digest, write = blob_write(_large("set aside "))
    await store.commit([Write("condemned", write.key, write.value)])
    assert get_blob(store, digest) == _large("set aside ")
    await store.commit(encode_entry(1, 0, _settled(1, _large("set aside ")))[-1:])
    assert (await _collect(store)).blobs == 0
    assert [len(list(store.keys(name))) for name in ("blobs", "condemned")] == [1, 0]


CUT_OFF = """
import asyncio, os, signal, sys
from pathlib import Path
from chidori_actors.journal import collection
from chidori_actors.journal.local_store import LocalStore

left = int(sys.argv[2])
commit, decide = LocalStore.commit, LocalStore.decide

def step():
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

async def counted_commit(self, writes, **options):
    step()
    await commit(self, writes, **options)

def counted_decide(self, *args):
    step()
    decide(self, *args)

LocalStore.commit, LocalStore.decide = counted_commit, counted_decide
collection._BATCH_RUNS, collection._BATCH_WRITES = 1, 5
asyncio.run(collection.collect(LocalStore.open(Path(sys.argv[1])), older_than_ms=0, now_ms=int(sys.argv[3])))
"""


def _cut_off(path: Path, transactions: int) -> int:
    """Collect in a process that kills itself instead of making one more than so many transactions; its exit code."""
    command = [sys.executable, "-c", CUT_OFF, str(path), str(transactions), str(NOW_MS)]
    ended = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr.decode()
    return ended.returncode


async def test_a_collection_killed_at_any_transaction_leaves_whole_runs_and_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    killed = 0
    for transactions in range(100):
        path = tmp_path / f"s{transactions}"
        store = LocalStore.open(path, durability="relaxed")
        parent = await _run(store, "parent")
        going = [parent, await _run(store, "child", parent=parent), await _run(store, "third")]
        live = await _run(store, "live", status="paused")
        store.close()
        code = _cut_off(path, transactions)
        store = LocalStore.open(path, durability="relaxed")
        listed = {meta.id for meta in list_runs(store).runs}
        assert all(_is_whole(store, meta) for meta in [*going, live] if meta.id in listed)
        assert "live" in listed
        assert "parent" in listed or "child" not in listed
        await _collect(store, 0)
        assert _is_whole(store, live)
        assert _rest(store)["runs"] == 1
        assert _rest(store)["blobs"] == 5
        store.close()
        if code == 0:
            break
        killed += 1
    assert code == 0
    assert killed >= 10


WRITER = """
import asyncio, sys
from pathlib import Path
from chidori_actors.journal.lanes import Settled, encode_entry
from chidori_actors.journal.local_store import LocalStore

async def main():
    store = LocalStore.open(Path(sys.argv[1]), durability="relaxed")
    for number in range(600):
        value = b'"' + b"%d " % (number % 7) * 3000 + b'"'
        await store.commit(encode_entry(1, number % 20, Settled(1, number, 0, 1, value=value)))
    store.close()

asyncio.run(main())
"""


def _writer(path: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)])


async def test_a_process_that_writes_the_same_values_again_and_again_loses_none(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s", durability="relaxed")
    writer = _writer(store.path)
    collections = 0
    while writer.poll() is None and collections < 3000:
        await _collect(store)
        collections += 1
    assert writer.wait(LIMIT_S) == 0
    await _collect(store)
    assert collections
    assert len(list(read_lane(store, 1))) == 20
    assert len(list(store.keys("blobs"))) == 7
    store.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([10, 40]), st.integers(0, 8)), min_size=1, max_size=8))
def test_exactly_old_ended_runs_that_nobody_needs_go(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[bool, int, int]]
) -> None:
    async def check(store: LocalStore) -> None:
        runs: list[RunMeta] = []
        for number, (ended, days, parent) in enumerate(wanted):
            status: Status = "completed" if ended else "paused"
            origin = runs[parent] if parent < len(runs) else None
            runs.append(await _run(store, f"run-{number}", days=days, status=status, parent=origin))
        stays = {meta.id for meta, (ended, days, _) in zip(runs, wanted, strict=True) if not ended or days < 30}
        for meta in reversed(runs):
            if meta.id in stays and meta.branch is not None:
                stays.add(meta.branch["parent_run_id"])
        collected = await _collect(store)
        assert collected.runs == len(runs) - len(stays)
        assert {meta.id for meta in list_runs(store).runs} == stays
        assert all(_is_whole(store, meta) for meta in runs if meta.id in stays)

    store = LocalStore.open(tmp_path_factory.mktemp("s") / "s", durability="relaxed")
    asyncio.run(check(store))
    store.close()
