"""``GET /sessions/{id}/forks``: the family of a session."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.family_tree import DEEPEST, MOST_NODES, family_of
from chidori_actors.journal.collection import collect
from chidori_actors.journal.families import CHILD_PREFIX, child_ids
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta, get_run, run_writes
from chidori_actors.journal.store import Write
from chidori_actors.transfer import import_checkpoint
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent

AGENT = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.prompt("one");
  return [first, await chidori.prompt("two")];
}
"""


async def _fork(client: Client, session: str, **body: Any) -> str:
    told = await client("POST", f"/sessions/{session}/branch", json={"at": 1, "result": "x", **body})
    assert told.status == 201, told.body
    return str(told.json["id"])


async def _family(client: Client, session: str) -> Any:
    told = await client("GET", f"/sessions/{session}/forks")
    assert told.status == 200, told.body
    return told.json


def _shape(node: Any) -> Any:
    return {node["id"]: [_shape(each) for each in node["forks"]]}


async def test_a_family_is_the_same_seen_from_any_of_its_runs(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        await client("POST", "/sessions", json={"input": {}, "session_id": "apart"})
        one = await _fork(client, "s", note="try it")
        two = await _fork(client, "s", at=2)
        replay = (await client("POST", f"/sessions/{two}/replay")).json["id"]
        below = await _fork(client, replay, at=2)
        # What a fork shares with its parent makes a fork of the parent.
        beside = await _fork(client, one, at=1, result="y")
        of_one = await _fork(client, one, at=1, result="z")
        told = await _family(client, below)
        assert told["more"] is False
        by_id = {}
        for node in _nodes(told["root"]):
            by_id[node["id"]] = node
        parents = {each["id"]: node["id"] for node in by_id.values() for each in node["forks"]}
        assert parents == {one: "s", two: "s", replay: two, below: parents[below], beside: one, of_one: one}
        assert parents[below] in (two, replay)
        for session in by_id:
            assert await _family(client, session) == told
        assert _shape((await _family(client, "apart"))["root"]) == {"apart": []}
        root, edited = by_id["s"], by_id[one]
        assert (root["at_seq"], root["replay"], root["note"], root["missing"]) == (None, False, None, False)
        assert (root["agent"], root["status"], root["call_count"], root["live_calls"]) == (
            "agent.ts",
            "completed",
            2,
            2,
        )
        assert (edited["at_seq"], edited["note"], edited["replay"]) == (1, "try it", False)
        assert (edited["call_count"], edited["live_calls"]) == (2, 1)
        assert (by_id[replay]["replay"], by_id[replay]["at_seq"], by_id[replay]["live_calls"]) == (True, None, 0)
        assert (await client("GET", "/sessions/nobody/forks")).status == 404


def _nodes(root: Any) -> Iterator[Any]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node["forks"]


async def test_imported_forks_name_the_ancestor_that_is_not_there(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        fork = await _fork(client, "s", note="why")
        files = [
            (await client("GET", f"/sessions/{session}/checkpoint")).body
            for session in (fork, await _fork(client, fork, at=3))
        ]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with serving(write_agent(elsewhere, AGENT), elsewhere) as client:
        store = LocalStore.open(elsewhere / "store")
        imported = [await import_checkpoint(store, data) for data in files]
        copy = await import_checkpoint(store, files[0], run_id="copy")
        store.close()
        below = await _fork(client, imported[1].id, at=3)
        told = await _family(client, below)
        assert (told["root"]["id"], told["root"]["missing"], told["root"]["status"]) == ("s", True, None)
        nodes = {node["id"]: [each["id"] for each in node["forks"]] for node in _nodes(told["root"])}
        assert {parent: sorted(children) for parent, children in nodes.items()} == {
            "s": [fork],
            fork: sorted((imported[1].id, copy.id)),
            imported[1].id: [below],
            copy.id: [],
            below: [],
        }
        assert await _family(client, "copy") == told
        assert [node["at_seq"] for node in told["root"]["forks"]] == [1]


async def test_what_is_collected_is_not_in_the_family_any_more(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        gone, kept = await _fork(client, "s"), await _fork(client, "s")
        store = LocalStore.open(tmp_path / "store")
        old = get_run(store, gone)
        await store.commit(run_writes(_aged(old), new=False))
        await collect(store, older_than_ms=1, now_ms=2)
        assert list(child_ids(store, "s")) == [kept]
        store.close()
        assert _shape((await _family(client, "s"))["root"]) == {"s": [{kept: []}]}


def _aged(meta: RunMeta) -> RunMeta:

    return replace(meta, created_at_ms=0)


async def test_a_store_written_before_children_were_entered_has_them_too(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        forks = {await _fork(client, "s"), await _fork(client, "s")}
        store = LocalStore.open(tmp_path / "store")
        await store.commit([Write("meta", key, None) for key in store.keys("meta", CHILD_PREFIX)])
        store.close()
        assert {node["id"] for node in (await _family(client, "s"))["root"]["forks"]} == forks


@pytest.mark.parametrize(("count", "chain"), [(DEEPEST + 40, True), (MOST_NODES + 40, False)])
async def test_large_families_are_cut_and_the_way_to_the_run_is_in_there(
    tmp_path: Path, count: int, chain: bool
) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        store = LocalStore.open(tmp_path / "store")
        root = get_run(store, "s")

        for number in range(count):
            parent = f"r{number - 1}" if chain and number else "s"
            branch = {"parent_run_id": parent, "at_seq": 1, "at_index": 1}
            await store.commit(run_writes(replace(root, id=f"r{number}", branch=branch), new=True))
        store.close()
        last = f"r{count - 1}"
        told = await _family(client, last)
        nodes = [node["id"] for node in _nodes(told["root"])]
        assert told["more"] is True
        assert last in nodes
        assert len(set(nodes)) == len(nodes) <= MOST_NODES
        assert (await _family(client, "s"))["more"] is True


async def test_imports_that_name_each_other_are_no_endless_family(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        store = LocalStore.open(tmp_path / "store")
        root = get_run(store, "s")

        for own, other in (("a", "b"), ("b", "a")):
            imported = replace(root, id=own, lineage={"parent_run_id": other, "at_seq": None})
            await store.commit(run_writes(imported, new=True))
        found = await family_of(store, get_run(store, "a"))
        store.close()
        assert (found.root.id, [child.id for child in found.root.children]) == ("b", ["a"])
        assert _shape((await _family(client, "a"))["root"]) == {"b": [{"a": []}]}
