"""The actors of a run, and the records of all of them."""

from dataclasses import replace
from typing import Any

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.journal.actors import ActorMeta, actor_places, actor_writes, get_actor, run_actors
from chidori_actors.journal.checkpoint import parse_checkpoint
from chidori_actors.journal.checkpoint_export import export_checkpoint
from chidori_actors.journal.checkpoint_lanes import calls_by_actor, checkpoint_entries
from chidori_actors.journal.lanes import RUN_LANES, Entry, Settled, Started
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.manifest import build_manifest
from chidori_actors.journal.records import call_records, tree_records
from chidori_actors.journal.runs import RunMeta, get_run, run_writes
from chidori_actors.journal.store import Write
from chidori_actors.journal.tree import RunTree, TreeActor

ROOT = 3 * RUN_LANES
BRANCH = ActorMeta(ROOT + 1, "4/b0", "branch", ROOT, 4, 0, "running", 1_700_000_000_000)
META = RunMeta(
    id="run-1",
    agent="a.ts",
    status="completed",
    input=b"{}",
    created_at_ms=0,
    updated_at_ms=0,
    seed="0f",
    epoch_ms=0,
    lane=ROOT,
    policy={},
)


async def test_the_actors_of_a_run_come_back_in_the_order_of_their_lanes(store: LocalStore) -> None:
    agent = replace(
        BRANCH,
        lane=ROOT + 300,
        path="4/b0/2",
        kind="sub_agent",
        parent_lane=ROOT + 1,
        index=2,
        status="failed",
        bundle="ab" * 32,
        input=b'"' + b"x" * 9000 + b'"',
        output=b"1e21",
        error={"message": "no", "name": "Error", "data": {"half": "\ud83d"}},
        failed_ordinal=5,
        ended=17,
        seq=31,
    )
    last = replace(BRANCH, lane=ROOT + RUN_LANES - 1, path="9", kind="tool")
    others = [replace(BRANCH, lane=ROOT - 1), replace(BRANCH, lane=ROOT + RUN_LANES + 1)]
    for meta in (last, agent, BRANCH, *others):
        await store.commit(actor_writes(meta))
    assert run_actors(store, ROOT) == [BRANCH, agent, last]
    ended = replace(BRANCH, status="completed", output=b"2")
    await store.commit(actor_writes(ended))
    assert run_actors(store, ROOT) == [ended, agent, last]
    assert run_actors(store, 9 * RUN_LANES) == []
    assert [get_actor(store, place.lane) for place in actor_places(store, ROOT)] == [ended, agent, last]
    place = actor_places(store, ROOT)[1]
    assert (place.parent_seq, place.index, place.status, place.ended, place.seq) == (4, 2, "failed", 17, 31)


async def test_a_damaged_actor_is_named_and_a_lane_of_no_root_refused(store: LocalStore) -> None:
    (write,) = actor_writes(BRANCH)
    for damaged in (b"", (write.value or b"")[:-1]):
        await store.commit([Write("actors", write.key, damaged)])
        with pytest.raises(StoreError, match=rf"the actor with lane {ROOT + 1} .* is damaged"):
            run_actors(store, ROOT)
        with pytest.raises(StoreError, match=rf"the actor with lane {ROOT + 1} .* is damaged"):
            actor_places(store, ROOT)
    for lane in (0, 1, ROOT + 1):
        with pytest.raises(ValueError, match="not the root lane"):
            run_actors(store, lane)


def _call(ordinal: int, seq: int, parent: int | None = None) -> Started:
    return Started(ordinal, seq, 0, "log", b"{}", 0, parent_seq=parent)


def test_records_of_all_actors_are_in_the_order_in_which_calls_ended() -> None:
    root: list[Entry] = [_call(1, 1), _call(2, 2), Settled(1, 1, 0, 1, value=b'"one"'), Settled(2, 5, 0, 1)]
    inherited = Settled(-1, 2, 0, 1, value=b'"one"')
    branch: list[Entry] = [inherited, _call(1, 3, 2), _call(2, 4, 2), Settled(2, 3, 0, 1), Settled(1, 4, 0, 1)]
    records = tree_records([("", root), ("2/b0", branch)], "imported")
    assert [(record["path"], record["actor"], record["index"]) for record in records] == [
        ("1", "", 1),
        ("2/b0/2", "2/b0", 3),
        ("2/b0/1", "2/b0", 4),
        ("2", "", 5),
    ]
    assert {record["origin_run_id"] for record in records} == {"imported"}
    assert [record.get("parent_seq") for record in records] == [None, 2, 2, None]
    assert records[:1] + records[3:] == call_records(root, origin_run_id="imported")
    shared = tree_records([("", root), ("2/b0", branch)], shared=[(3, "grandparent"), (5, "parent")])
    assert [record["origin_run_id"] for record in shared] == ["grandparent", "parent", "parent", None]


def test_a_result_without_its_call_is_named_with_its_actor() -> None:
    with pytest.raises(StoreError, match="call 2/b0/7 has a result and was never made"):
        tree_records([("", []), ("2/b0", [Settled(7, 1, 0, 1)])])


def test_what_was_inherited_is_in_no_record_manifest_or_checkpoint() -> None:
    lane: list[Entry] = [_call(1, 1), Settled(1, 1, 0, 1, value=b'"own"'), Settled(-1, 1, 0, 1, value=b'"theirs"')]
    manifest = build_manifest(META, [("", lane)], source={"entry": None, "modules": [], "module_graph": []})
    assert manifest["call_log_len"] == len(manifest["host_promises"]) == 1
    assert [record["result"] for record in call_records(lane)] == ["own"]
    tree = RunTree([TreeActor(1, lane, 1)])
    checkpoint = parse_checkpoint(export_checkpoint(META, tree, manifest=manifest, bundle=None, bundles={}))
    assert checkpoint_entries(calls_by_actor(checkpoint.call_log)[""], ours=checkpoint.run is not None) == lane[:2]


async def test_a_branch_from_history_says_where_it_left_its_parent(store: LocalStore) -> None:
    source: dict[str, Any] = {"entry": None, "modules": [], "module_graph": []}
    assert build_manifest(META, [], source=source)["branch"] is None
    branch = replace(META, branch={"parent_run_id": "run-0", "at_seq": 12, "at_index": 9})
    await store.commit(run_writes(branch, new=True))
    assert get_run(store, "run-1") == branch
    assert build_manifest(branch, [], source=source)["branch"] == {
        "parent_run_id": "run-0",
        "parallel_op_id": None,
        "branch_index": None,
        "at_seq": 12,
    }
