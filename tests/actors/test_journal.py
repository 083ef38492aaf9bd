"""A shard of the journal: group commit, answers to what comes again, deaths of its process and of its clients."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import lmdb
import pytest

from actors.config import ClusterConfig
from actors.journal import GRACE_S
from actors.journal_messages import Committed, Submitted
from actors.remote_store import RemoteStore
from actors.routing import shard_of_name, shard_of_run
from actors.shard_store import shard_path
from actors.shards import find_shards
from chidori_actors.errors import LeaseLost, StoreError
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.store import Write

from .journal_shards import LIMIT_S, client, kill, process_of, stores


def _put(key: bytes, value: bytes = b"v") -> Submitted:
    return Submitted((Write("runs", key, value),))


async def test_batches_of_several_clients_share_transactions(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2) as (_, opened):
        await asyncio.gather(
            *(
                store.commit([Write("runs", b"%d-%d" % (number, index), b"v")])
                for index, store in enumerate(opened)
                for number in range(1000)
            )
        )
        assert len(list(opened[0].keys("runs"))) == 2000
    with lmdb.open(str(tmp_path / "s"), max_dbs=16) as raw:
        assert raw.info()["last_txnid"] < 100


async def test_a_batch_that_comes_again_is_answered_again_and_not_made_again(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace) as ((shard,), (store,)):
        async with asyncio.timeout(LIMIT_S):
            batch = [_put(b"k", b"1"), Submitted((), None, b"counter")]
            twice = [shard.actor.commit.remote("me", 1, batch) for _ in range(2)]
            first, second = [await answer for answer in twice]
            await store.commit([Write("runs", b"k", b"of another")])
            third = await shard.actor.commit.remote("me", 1, batch)
            assert [answer.results for answer in (first, second, third)] == [[0, 1]] * 3
            assert store.get("runs", b"k") == b"of another"
            later: Committed = await shard.actor.commit.remote("me", 2, [Submitted((), None, b"counter")])
            assert later.results == [2]
            old: Committed = await shard.actor.commit.remote("me", 1, [_put(b"old")])
            assert isinstance(old.results[0], StoreError)
            assert store.get("runs", b"old") is None


async def test_a_write_to_memory_is_made_once_though_its_batch_comes_again_after_a_restart(
    tmp_path: Path, namespace: str
) -> None:
    async with stores(tmp_path / "s", namespace) as ((shard,), (store,)):
        batch = [_put(b"a"), Submitted((Write("memory", b"m" * 16, b"first"), Write("runs", b"b", b"v"))), _put(b"c")]
        async with asyncio.timeout(LIMIT_S):
            await shard.actor.commit.remote("me", 7, batch)
            await store.commit([Write("memory", b"m" * 16, b"of another"), Write("runs", b"b", None)])
            await kill(shard)
            await store.flush()  # it is there again
            again: Committed = await shard.actor.commit.remote("me", 7, batch)
            assert again.results == [0, 0, 0]
            assert store.get("memory", b"m" * 16) == b"of another"
            assert store.get("runs", b"b") is None  # the whole submission was known
            await shard.actor.commit.remote("me", 8, [Submitted((Write("memory", b"m" * 16, b"second"),))])
            assert store.get("memory", b"m" * 16) == b"second"
            await shard.actor.forget.remote("me")
            assert list(store.keys("meta", b"applied/me\x00")) == []


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_shard_is_killed_under_load(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2) as ((shard,), opened):
        told: list[int] = []
        enough = asyncio.Event()
        stop = asyncio.Event()

        async def write(store: RemoteStore, first: int) -> None:
            number = first
            while not stop.is_set():
                await store.commit([Write("lanes", number.to_bytes(16, "big"), b"v" * 300)])
                told.append(number)
                number += 1
                if len(told) % 2000 == 0:
                    enough.set()

        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
            for flow in range(40):
                group.create_task(write(opened[flow % 2], flow << 32))
            for _ in range(2):
                await enough.wait()
                enough.clear()
                await kill(shard)
            await enough.wait()
            stop.set()
        stored = {int.from_bytes(key, "big") for key in opened[0].keys("lanes")}
        assert set(told) <= stored
        assert all(store.reachable and not store.lost.is_set() for store in opened)


async def test_what_a_forgotten_client_sends_is_refused_and_its_locks_are_free(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2) as ((shard,), (dead, heir)):
        lease = await Lease.acquire(dead, "run", "dead")
        kept = asyncio.gather(*(dead.commit([Write("runs", b"%d" % number, b"v")]) for number in range(50)))
        await kept
        async with asyncio.timeout(LIMIT_S):
            await shard.actor.forget.remote(dead._client)
        with pytest.raises(LeaseLost, match="declared dead"):
            await dead.commit([Write("runs", b"late", b"v")], fence=lease.fence)
        assert dead.lock("another") is False
        heritage = await Lease.acquire(heir, "run", "heir")
        await heir.commit([Write("runs", b"next", b"v")], fence=heritage.fence)
        assert heir.get("runs", b"late") is None


async def test_clients_assert_their_locks_when_the_shard_begins_anew(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2) as ((shard,), (owner, other)):
        lease = await Lease.acquire(owner, "run", "owner")
        await other.flush()
        await kill(shard)
        async with asyncio.timeout(LIMIT_S):
            # The other is as early as can be, and waits until the owner has shown itself.
            assert await asyncio.to_thread(other.lock, "run") is False
        await owner.commit([Write("runs", b"r", b"v")], fence=lease.fence)
        lease.release()
        assert other.lock("run")
        assert GRACE_S > 1


async def test_a_new_run_is_locked_at_once_after_a_restart(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace) as ((shard,), (store,)):
        await kill(shard)
        assert store.lock("never seen before")


async def test_locks_of_a_client_without_a_sign_of_life_can_be_taken(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2, lost_after_s=1.5) as (_, (silent, other)):
        assert silent.lock("run")
        assert other.lock("run") is False
        silent.close()
        async with asyncio.timeout(LIMIT_S):
            while not other.lock("run"):
                await other.flush()


async def test_a_shard_that_does_not_answer_is_lost_after_the_time(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, lost_after_s=2.0) as ((shard,), (store,)):
        await store.commit([Write("runs", b"a", b"v")])
        assert store.reachable
        pid = await process_of(shard)
        os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(LIMIT_S):
                with pytest.raises(StoreError, match="cannot be reached") as caught:
                    await store.commit([Write("runs", b"b", b"v")])
                assert caught.value.hint
                await store.lost.wait()
                assert not store.reachable
                with pytest.raises(StoreError, match="cannot be reached"):
                    await store.commit([Write("runs", b"c", b"v")])
                with pytest.raises(StoreError, match="cannot be reached"):
                    store.lock("run")
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_an_idle_client_notices_that_its_journal_is_lost(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, lost_after_s=1.5) as ((shard,), (store,)):
        await store.flush()
        pid = await process_of(shard)
        os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(LIMIT_S):
                await store.lost.wait()
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_an_owner_writes_nothing_after_a_write_of_its_failed_though_the_shard_began_anew(
    tmp_path: Path, namespace: str
) -> None:
    async with stores(tmp_path / "s", namespace) as ((shard,), (store,)):
        lease = await Lease.acquire(store, "run", "me")
        unwritable: Any = "text"
        with pytest.raises(TypeError):
            await store.commit([Write("runs", b"1", unwritable)], fence=lease.fence)
        await kill(shard)
        with pytest.raises(StoreError, match="stopped writing"):
            await store.commit([Write("runs", b"2", b"v")], fence=lease.fence)
        await store.commit([Write("runs", b"3", b"v")])
        assert list(store.keys("runs")) == [b"3"]


def _run_and_memory(shards: int) -> tuple[str, bytes, int]:
    """A run, a key of memory that lies elsewhere, and its shard."""
    home = shard_of_run("run", shards)
    key = next(key for key in (b"%016d" % number for number in range(99)) if shard_of_name(key, shards) != home)
    return "run", key, shard_of_name(key, shards)


@pytest.mark.slow
async def test_memory_in_another_shard_is_written_once_though_both_shards_die(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, shards=2) as (shards, (store,)):
        run_id, key, other = _run_and_memory(2)
        lease = await Lease.acquire(store, run_id, "me")
        async with asyncio.timeout(LIMIT_S):
            for number in range(4):
                await kill(shards[number % 2])
                await store.commit(
                    [Write("memory", key, b"%d" % number), Write("approvals", b"run\x00%d" % number, b"")],
                    fence=lease.fence,
                )
                assert store.get("memory", key) == b"%d" % number
            await store.flush()
        assert [name for name in store.keys("meta") if name.startswith((b"outbox/", b"delivered/"))] == []
        assert len(list(store.keys("approvals", b"run\x00"))) == 4
        assert other == 1 - shard_of_run(run_id, 2)


async def test_what_a_dead_client_left_in_its_outbox_is_written_when_it_is_forgotten(
    tmp_path: Path, namespace: str
) -> None:
    async with stores(tmp_path / "s", namespace, shards=2, clients=2, lost_after_s=4.0) as (shards, (dead, heir)):
        run_id, key, other = _run_and_memory(2)
        lease = await Lease.acquire(dead, run_id, "me")
        pid = await process_of(shards[other])
        os.kill(pid, signal.SIGSTOP)
        recorded = Write("approvals", b"run\x00r", b"")
        try:
            task = asyncio.create_task(dead.commit([Write("memory", key, b"1"), recorded], fence=lease.fence))
            async with asyncio.timeout(LIMIT_S):
                while await asyncio.to_thread(heir.get, "approvals", recorded.key) is None:
                    pass
            assert heir.get("memory", key) is None
            dead.close()
            with pytest.raises(StoreError, match="closed"):
                await task
        finally:
            # Not thawed: what the dead one had sent there must not be what writes it.
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*(shard.actor.forget.remote(dead._client) for shard in [shards[1 - other]]))
        assert heir.get("memory", key) == b"1"
        assert [name for name in heir.keys("meta") if name.startswith((b"outbox/", b"delivered/"))] == []


async def test_shards_are_found_by_their_names(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, shards=2) as (_, (store,)):
        config = ClusterConfig(store=tmp_path / "s", namespace=namespace, shards=2)
        found = await find_shards(config)
        assert [(shard.index, shard.path) for shard in found] == [
            (0, shard_path(config, 0)),
            (1, shard_path(config, 1)),
        ]
        await store.commit([Write("runs", b"r", b"v")])
        reader = RemoteStore(client(), found, config)
        assert reader.get("runs", b"r") == b"v"
        reader.close()
