"""Shards are started where their files are, and none is begun anew while the rest of its store is there."""

from pathlib import Path

import pytest

from actors.config import ClusterConfig
from actors.shard_places import places
from actors.shard_store import StoreFile, open_shard, store_files
from chidori_actors.errors import StoreError

ADDRESSES = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
FILE, OTHER = (1, 4096, 10**18), (2, 8192, 10**18)


def _places(shards: int, defaults: str, **found: list[StoreFile]) -> list[str]:
    config = ClusterConfig(store=Path("/store"), shards=shards)
    return places(config, list(defaults), {node: found.get(node, []) for node in ADDRESSES}, ADDRESSES)


def test_a_new_store_is_spread_over_the_nodes_that_are_meant_for_it() -> None:
    assert _places(3, "ab") == ["a", "b", "a"]
    assert _places(1, "b") == ["b"]


def test_shards_stay_where_their_files_are_in_whatever_order_the_nodes_come() -> None:
    found = {"a": [StoreFile(1, FILE)], "c": [StoreFile(0, FILE), StoreFile(2, OTHER)]}
    assert _places(3, "abc", **found) == _places(3, "cba", **found) == ["c", "a", "c"]
    assert _places(1, "a", b=[StoreFile(None, FILE)]) == ["b"]


def test_a_shard_that_is_missing_beside_others_is_not_made() -> None:
    with pytest.raises(
        StoreError, match=r"of the 3 shards .* 1, 2 are on no node .* shard 0 on 10\.0\.0\.2"
    ) as refused:
        _places(3, "abc", b=[StoreFile(0, FILE)])
    assert refused.value.hint is not None


def test_two_files_of_one_shard_are_refused_and_one_that_nodes_share_is_not() -> None:
    with pytest.raises(StoreError, match=r"shard 1 .* is on 2 nodes: 10\.0\.0\.1 has one of 4096 bytes.*10\.0\.0\.3"):
        _places(2, "a", a=[StoreFile(0, FILE), StoreFile(1, FILE)], c=[StoreFile(1, OTHER)])
    shared = [StoreFile(None, FILE)]
    assert _places(1, "b", a=shared, b=shared, c=shared) == ["b"]
    assert _places(1, "b", a=shared, c=shared) == ["a"]


def test_a_store_of_another_number_of_shards_is_refused_wherever_it_is() -> None:
    with pytest.raises(StoreError, match="was made with several shards"):
        _places(1, "a", b=[StoreFile(0, FILE), StoreFile(1, FILE)])
    with pytest.raises(StoreError, match="was made with one shard"):
        _places(2, "a", b=[StoreFile(None, FILE)])


def test_what_a_machine_has_of_a_store_is_found(tmp_path: Path) -> None:
    config = ClusterConfig(store=tmp_path / "store", shards=3)
    assert store_files(config) == []
    for shard in (0, 2):
        open_shard(config, shard).close()
    assert sorted(file.shard or 0 for file in store_files(config)) == [0, 2]
    single = ClusterConfig(store=tmp_path / "single")
    open_shard(single, 0).close()
    (file,) = store_files(single)
    assert file.shard is None
    assert file.identity[1] > 0
