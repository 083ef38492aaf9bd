"""Which shard has a key: a run's keys are all in one, and no reader looks in a wrong place."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.routing import shard_of_key, shard_of_prefix, shard_of_run
from chidori_actors.journal.actors import ActorMeta, actor_writes
from chidori_actors.journal.approvals import approval_write
from chidori_actors.journal.bases import base_write
from chidori_actors.journal.collection import drop_run_writes
from chidori_actors.journal.entries import Started
from chidori_actors.journal.events import Told, event_write
from chidori_actors.journal.forks import fork_write
from chidori_actors.journal.given_variables import given_prefix, given_write
from chidori_actors.journal.images import image_write
from chidori_actors.journal.lanes import RUN_LANES, encode_entry
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.runs import RunMeta, get_run, run_writes
from chidori_actors.journal.store import Write
from chidori_actors.journal.writes import DATABASES, epoch_key, owner_key

RUN_IDS = st.text("abcXYZ019_.:-", min_size=1, max_size=128)
SHARDS = st.integers(1, 9)


def _run_writes(run_id: str, lane: int, key: str) -> list[Write]:
    meta = RunMeta(
        id=run_id,
        agent="a.ts",
        status="completed",
        input=b"x" * 9000,
        created_at_ms=17,
        updated_at_ms=17,
        seed="00",
        epoch_ms=17,
        lane=lane,
        policy={},
        idempotency_key=key,
    )
    child = ActorMeta(lane + 1, "0", "branch", lane, 1, 0, "running", 17)
    return [
        *run_writes(meta, new=True),
        *actor_writes(child),
        *encode_entry(lane + 1, 7, Started(1, 1, 0, "log", b"y" * 9000, 17)),
        image_write(lane, 3, {}, b"image"),
        fork_write(lane, 3, 1, {}, b"fork"),
        event_write(lane, 1, Told("log", b"{}")),
        base_write(lane + 1, lane, 2),
        approval_write(run_id, "http", "00", "allow"),
        given_write(run_id, "HOME"),
        Write("meta", epoch_key(run_id), b"1"),
        Write("meta", owner_key(run_id), b"me"),
    ]


@given(run_id=RUN_IDS, shards=SHARDS, root=st.integers(1, 1 << 31), key=st.text(max_size=20))
def test_the_keys_of_a_run_are_all_in_its_shard(run_id: str, shards: int, root: int, key: str) -> None:
    shard = shard_of_run(run_id, shards)
    lane = (root - root % shards + shards + shard) * RUN_LANES
    found = {shard_of_key(write.database, write.key, shards) for write in _run_writes(run_id, lane, key)}
    assert found == {shard, None}  # large values and the client's key go with the rest
    assert shard_of_prefix("meta", given_prefix(run_id), shards) == shard
    assert shard_of_prefix("approvals", run_id.encode() + b"\x00", shards) == shard
    for database in ("lanes", "actors", "images", "forks", "events"):
        assert shard_of_prefix(database, (lane // RUN_LANES).to_bytes(4, "big"), shards) == shard


async def test_what_drops_a_run_is_in_its_shard(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s")
    lane = (3 * 5 + shard_of_run("run", 3)) * RUN_LANES
    writes = _run_writes("run", lane, "key")
    await store.commit(writes)
    farewell = drop_run_writes(store, get_run(store, "run"))
    store.close()
    assert {shard_of_key(write.database, write.key, 3) for write in farewell} == {shard_of_run("run", 3), None}


@given(
    database=st.sampled_from(DATABASES),
    key=st.binary(min_size=1, max_size=40) | st.binary(max_size=20).map(lambda rest: b"base/" + rest),
    cut=st.integers(0, 60),
    shards=SHARDS,
)
def test_a_prefix_names_a_shard_only_when_all_its_keys_lie_there(
    database: str, key: bytes, cut: int, shards: int
) -> None:
    known = next(name for name in DATABASES if name == database)
    named = shard_of_prefix(known, key[:cut], shards)
    assert shards == 1 or named is None or named == shard_of_key(known, key, shards)


@given(namespace=st.text(max_size=30), keys=st.lists(st.text(max_size=600), min_size=1, max_size=5), shards=SHARDS)
def test_a_namespace_of_memory_is_in_one_shard(namespace: str, keys: list[str], shards: int) -> None:
    # Keys are made without a look at the store.
    puts = (StoredMemory.put(StoredMemory.__new__(StoredMemory), namespace, key, b"1") for key in keys)
    places = {shard_of_key("memory", put.key, shards) for put in puts}
    assert len(places) == 1


def test_runs_are_spread_and_stay_where_they_are() -> None:
    places = [shard_of_run(f"run-{number}", 4) for number in range(400)]
    assert min(places.count(shard) for shard in range(4)) > 70
    assert [shard_of_run(name, 7) for name in ("a", "b", "run-1")] == [4, 0, 4]
