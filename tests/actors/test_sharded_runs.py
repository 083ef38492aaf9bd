"""Runs and their branches in a journal of several shards: branches lie anywhere, and garbage is what nobody needs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from actors.remote_store import RemoteStore
from actors.routing import shard_of_run
from chidori_actors.branch_points import Edit
from chidori_actors.branching import make_branch, make_copy
from chidori_actors.errors import RunNotFound
from chidori_actors.journal.blobs import blob_write, get_blob
from chidori_actors.journal.collection import collect, runs_kept
from chidori_actors.journal.lanes import Entry, Settled, Started, encode_entry, new_lane, read_lane
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.runs import RunMeta, list_runs, run_writes
from chidori_actors.journal.store import Write

from .journal_shards import LIMIT_S, stores

SHARDS = 3


async def _run(store: RemoteStore, run_id: str) -> RunMeta:
    """A run that ended, of one call with a large result."""
    lease = await Lease.acquire(store, run_id, "a test")
    digest, source_in = blob_write(f"source of {run_id} ".encode() * 500)
    lane = await new_lane(store, run_id)
    meta = RunMeta(run_id, "a.ts", "completed", b"1", 1, 1, "0f", 0, lane, {}, bundle=digest, calls=1, call_count=1)
    large = b'"' + run_id.encode() * 2000 + b'"'
    entries: list[Entry] = [Started(1, 1, 0, "log", b"{}", 0), Settled(1, 1, 1, 1, value=large)]
    writes = [write for number, entry in enumerate(entries) for write in encode_entry(lane, number, entry)]
    await store.commit([source_in, *writes, *run_writes(meta, new=True)], fence=lease.fence)
    lease.release()
    return meta


async def _branch(store: RemoteStore, parent: RunMeta, shard: int, edit: Edit | None) -> RunMeta:
    """A branch or a copy of the run in that shard."""
    run_id = next(name for name in (f"of-{parent.id}-{n}" for n in range(99)) if shard_of_run(name, SHARDS) == shard)
    lease = await Lease.acquire(store, run_id, "a test")
    try:
        if edit is None:
            return await make_copy(store, parent, lease.fence, 2)
        return await make_branch(store, parent, edit, lease.fence, 2)
    finally:
        lease.release()


@pytest.mark.parametrize("remote", [False, True])
async def test_a_branch_in_any_shard_shares_its_parents_record_and_keeps_it(
    tmp_path: Path, namespace: str, remote: bool
) -> None:
    async with stores(tmp_path / "s", namespace, shards=SHARDS, clients=2, remote=remote) as (_, (store, other)):
        parents = [await _run(store, f"run-{number}") for number in range(6)]
        assert {shard_of_run(parent.id, SHARDS) for parent in parents} == {0, 1, 2}
        for shard in range(SHARDS):
            parent = max(parents[:-1], key=lambda run: run.lane)
            copy = await _branch(store, parent, shard, None)
            edited = await _branch(store, parents[shard], shard, Edit(1, result=b"2"))
            values = [
                entry.value
                for lane in (copy.lane, edited.lane)
                for entry in read_lane(other, lane)
                if isinstance(entry, Settled)
            ]
            assert values == [b'"' + parent.id.encode() * 2000 + b'"', b"2"]
            await store.commit(run_writes(replace(edited, status="completed"), new=False))
            assert get_blob(other, edited.bundle or "") == get_blob(store, parents[shard].bundle or "")
        found = list_runs(other, limit=50).runs
        assert len(found) == 12
        collected = await collect(other, older_than_ms=0, now_ms=2)  # the parents, all of which but two have branches
        kept = {run.id for run in list_runs(store).runs}
        assert collected.runs == 12 - len(kept) > 0
        for run in list_runs(store).runs:
            assert list(read_lane(store, run.lane))
            assert get_blob(store, run.bundle or "")
        collected = await collect(store, older_than_ms=0, now_ms=3)
        assert list_runs(other).runs == []
        assert [list(other.keys(database)) for database in ("lanes", "blobs", "condemned", "by_time")] == [[]] * 4


async def test_a_branch_whose_parent_is_taken_out_meanwhile_is_not_left_behind(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, shards=SHARDS, clients=2) as (_, (store, other)):
        parent = await _run(store, "run")
        shard = (shard_of_run("run", SHARDS) + 1) % SHARDS
        async with asyncio.timeout(LIMIT_S):
            async with runs_kept(other):  # as a collection that has looked at all branches has it
                task = asyncio.create_task(_branch(store, parent, shard, Edit(1, result=b"2")))
                while len(list(other.keys("runs"))) < 2:
                    await other.flush()
                await other.commit([Write("runs", parent.id.encode(), None)])
            with pytest.raises(RunNotFound):
                await task
        assert list(other.keys("runs")) == []
