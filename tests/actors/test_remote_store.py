"""What a store does, whichever it is: local, or the journal of a cluster, near or far, in one shard or three."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from actors.config import ClusterConfig
from actors.remote_store import RemoteStore
from actors.routing import shard_of_run
from chidori_actors.errors import LeaseLost, StoreError
from chidori_actors.journal.blobs import blob_write, get_blob
from chidori_actors.journal.lanes import RUN_LANES, new_lane
from chidori_actors.journal.lease import Lease, holder
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.store import Done, Fence, Store, Write
from chidori_actors.journal.writes import epoch_key

from .journal_shards import LIMIT_S, journal, stores
from .staged_hosts import until

KINDS = {"near": (1, False), "near, 3 shards": (3, False), "far": (1, True), "far, 3 shards": (3, True)}


@pytest.fixture(params=["local", *KINDS])
async def pair(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> AsyncIterator[Sequence[Store]]:
    """Two users of one store."""
    if request.param == "local":
        local = [LocalStore.open(tmp_path / "s") for _ in range(2)]
        yield local
        for store in local:
            store.close()
        return
    shards, remote = KINDS[request.param]
    async with stores(tmp_path / "s", namespace, shards=shards, clients=2, remote=remote) as (_, opened):
        yield opened


def _lane(number: int, value: bytes = b"v") -> Write:
    return Write("runs", b"%06d" % number, value)


async def test_what_one_commits_both_read(pair: Sequence[Store]) -> None:
    one, two = pair
    await one.commit([Write("runs", b"r", b"meta"), Write("memory", b"m" * 20, b"\x00" * 300_000)])
    await two.commit([Write("runs", b"r", None), Write("runs", b"q", b"")])
    for store in pair:
        assert store.get("runs", b"r") is None
        assert store.get("runs", b"q") == b""
        assert store.get("memory", b"m" * 20) == b"\x00" * 300_000


async def test_submissions_of_one_are_made_in_their_order_and_told_in_it(pair: Sequence[Store]) -> None:
    told: list[int] = []

    def note(number: int) -> Done:
        return lambda error: told.append(number)

    for number in range(500):
        pair[0].submit([Write("runs", b"r", b"%d" % number)], None, note(number))
        assert told == []
    await pair[0].flush()
    assert told == list(range(500))
    assert pair[1].get("runs", b"r") == b"499"


async def test_a_fence_that_fell_fails_its_own_submission_and_all_of_it(pair: Sequence[Store]) -> None:
    one, two = pair
    epoch = await one.increment(epoch_key("run-1"))
    results = await asyncio.gather(
        one.commit([_lane_of(one, "run-1", 1), Write("memory", b"n" * 16, b"1")], fence=Fence("run-1", epoch - 1)),
        one.commit([_lane_of(one, "run-1", 2)], fence=Fence("run-1", epoch)),
        two.commit([_lane_of(two, "run-2", 3)], fence=Fence("run-2", 1)),
        two.commit([_lane(4)]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [LeaseLost, type(None), LeaseLost, type(None)]
    assert [key[-1] for key in two.keys("approvals")] == [2]
    assert two.get("memory", b"n" * 16) is None


def _lane_of(store: Store, run_id: str, number: int) -> Write:
    """A write that belongs to the run, wherever that lies."""
    return Write("approvals", run_id.encode() + b"\x00" + bytes([number]), b"v")


async def test_a_key_that_does_not_fit_is_refused_at_once(pair: Sequence[Store]) -> None:
    for key in (b"", b"k" * 512):
        with pytest.raises(ValueError, match=r"(0|512) bytes"):
            pair[0].submit([Write("runs", key, b"v")], None, lambda error: None)
    await pair[0].commit([Write("runs", b"k" * 511, b"v")])


async def test_counters_give_every_caller_another_number(pair: Sequence[Store]) -> None:
    numbers = await asyncio.gather(*(store.increment(b"anything") for _ in range(25) for store in pair))
    assert sorted(numbers) == list(range(1, 51))


async def test_root_lanes_are_unique_and_higher_than_that_of_a_parent(pair: Sequence[Store]) -> None:
    lanes = [await new_lane(pair[number % 2], f"run-{number}") for number in range(30)]
    assert len(set(lanes)) == 30
    assert all(lane > 0 and lane % RUN_LANES == 0 for lane in lanes)
    for number, lane in enumerate(sorted(lanes)):
        assert await new_lane(pair[0], f"branch-{number}", above=lane) > lane


async def test_scans_of_every_direction_prefix_start_and_limit_agree_with_sorted_keys(pair: Sequence[Store]) -> None:
    keys = [b"a", b"a\xff", b"a\xff\xff", b"b", *(b"b%04d" % number for number in range(600)), b"c", b"\xff\xff"]
    await pair[0].commit([Write("memory", key, b"x" * 2000) for key in keys])
    store = pair[1]
    for prefix in (b"", b"a\xff", b"b", b"nothing"):
        for start in (None, b"b0123x", b"\xff\xff\xff"):
            for limit in (None, 1, 300):
                matching = [key for key in sorted(keys) if key.startswith(prefix)]
                forward = [key for key in matching if start is None or key >= start]
                back = [key for key in reversed(matching) if start is None or key <= start]
                pairs = list(store.scan("memory", prefix, start=start, limit=limit))
                assert [key for key, _ in pairs] == forward[:limit]
                assert all(value == b"x" * 2000 for _, value in pairs)
                assert list(store.keys("memory", prefix, start=start, limit=limit, reverse=True)) == back[:limit]


async def test_a_decision_is_taken_anew_when_somebody_wrote_meanwhile(pair: Sequence[Store]) -> None:
    one, two = pair
    if isinstance(one, LocalStore):
        pytest.skip("its writers wait for a decision")
    loop = asyncio.get_running_loop()
    await one.commit([Write("meta", b"base/" + bytes([1] * 8), b"1")])
    seen: list[int] = []

    def choose(pairs: list[tuple[bytes, bytes]]) -> list[Write]:
        seen.append(len(pairs))
        if len(seen) == 1:
            write = two.commit([Write("meta", b"base/" + bytes([1] * 7 + [2]), b"2")])
            asyncio.run_coroutine_threadsafe(write, loop).result(LIMIT_S)
        return [Write("meta", b"base/" + bytes([1] * 7 + [9]), b"%d" % len(pairs))]  # where the pairs lie

    await asyncio.to_thread(one.decide, "meta", b"base/", choose)
    assert seen == [1, 2]
    assert two.get("meta", b"base/" + bytes([1] * 7 + [9])) == b"2"


async def test_flush_waits_for_what_goes_on_to_another_shard(pair: Sequence[Store]) -> None:
    lease = await Lease.acquire(pair[0], "run", "me")
    told: list[BaseException | None] = []
    for number in range(20):
        write = StoredMemory(pair[0]).put(f"space-{number}", "key", b"%d" % number)
        pair[0].submit([write, _lane_of(pair[0], "run", number)], lease.fence, told.append)
    await pair[0].flush()
    assert told == [None] * 20
    values = [StoredMemory(pair[1]).get(f"space-{number}", "key") for number in range(20)]
    assert values == [b"%d" % number for number in range(20)]
    await pair[0].flush()
    left = [key for key in pair[1].keys("meta") if key.startswith((b"outbox/", b"delivered/"))]
    assert left == []
    lease.release()


async def test_a_run_has_one_owner_at_a_time(pair: Sequence[Store]) -> None:
    one, two = pair
    lease = await Lease.acquire(one, "run", "me")
    assert one.locks().lock("run") is False
    if not isinstance(one, LocalStore):  # the two are one process there, which may lock only once
        assert two.locks().lock("run") is False
        assert "me (pid" in str(holder(two, "run"))
    lease.release()
    await until(lambda: holder(two, "run") is None)  # elsewhere the shard has yet to hear of it
    again = await Lease.acquire(two, "run", "you")
    with pytest.raises(LeaseLost):
        await one.commit([_lane_of(one, "run", 1)], fence=lease.fence)
    again.release()


async def test_a_blob_is_found_wherever_the_run_lies_that_brought_it(pair: Sequence[Store]) -> None:
    digests = []
    for number in range(6):
        lease = await Lease.acquire(pair[0], f"run-{number}", "me")
        digest, write = blob_write(b"value %d" % number * 1000)
        await pair[0].commit([write, _lane_of(pair[0], f"run-{number}", 1)], fence=lease.fence)
        digests.append(digest)
        lease.release()
    assert [get_blob(pair[1], digest)[:7] for digest in digests] == [b"value %d" % number for number in range(6)]
    assert len(list(pair[1].keys("blobs"))) == 6


async def test_several_servers_may_have_the_store_of_a_cluster(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, clients=2) as (_, (one, two)), one.serving(), two.serving():
        assert one.path == tmp_path / "s"


async def test_a_run_writes_nothing_that_lies_in_another_shard(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace, shards=3) as (_, (store,)):
        other = next(name for name in map(str, range(99)) if shard_of_run(name, 3) != shard_of_run("run", 3))
        with pytest.raises(ValueError, match="another shard"):
            store.submit([_lane_of(store, other, 1)], Fence("run", 1), lambda error: None)


async def test_what_is_submitted_to_a_closed_store_fails_and_so_does_what_waits(tmp_path: Path, namespace: str) -> None:
    async with stores(tmp_path / "s", namespace) as (_, (store,)):
        waiting = asyncio.create_task(store.commit([_lane(1)]))
        await asyncio.sleep(0)
        store.close()
        with pytest.raises(StoreError, match="was closed"):
            await waiting
        with pytest.raises(StoreError, match="was closed"):
            await store.commit([_lane(2)])


async def test_the_number_of_shards_is_for_good(tmp_path: Path, namespace: str) -> None:
    for shards, others in ((3, (1, 2)), (1, (2,))):
        path = tmp_path / str(shards)
        async with stores(path, f"{namespace}-{shards}", shards=shards) as (_, (store,)):
            await store.commit([_lane(1)])
        for other in others:
            config = ClusterConfig(store=path, namespace=f"{namespace}-{shards}-{other}", shards=other)
            with pytest.raises(Exception, match=rf"was made with .* this cluster is to have {other}"):
                async with journal(config):
                    pass


async def test_a_store_without_a_cluster_becomes_that_of_one(tmp_path: Path, namespace: str) -> None:
    local = LocalStore.open(tmp_path / "s")
    lane = await new_lane(local, "run")
    await local.commit([_lane(1)])
    local.close()
    async with stores(tmp_path / "s", namespace) as (_, (store,)):
        assert isinstance(store, RemoteStore)
        assert store.get("runs", b"000001") == b"v"
        assert await new_lane(store, "next") == lane + RUN_LANES
