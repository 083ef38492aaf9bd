"""Which shard of the journal has a key.

A run's keys lie together, in the shard that a hash of its id names, with what says which run it comes from. Its lanes
lie there too: the number of a root lane, modulo the number of shards, is the shard, because a shard gives out only such
numbers. Memory lies by namespace. A blob lies with whatever refers to it, so its key alone does not tell; nor does a
client's idempotency key.
"""

import hashlib
from functools import lru_cache

from chidori_actors.journal.bases import BASE_PREFIX
from chidori_actors.journal.families import CHILD_PREFIX
from chidori_actors.journal.writes import Database

_ROOT_BYTES = 4
_TIME_BYTES = 8
_NAMESPACE_BYTES = 16
_BY_LANE = frozenset({"lanes", "actors", "images", "forks", "events"})
_BESIDE_A_RUN = frozenset({"blobs", "condemned"})
_OF_RUNS = (b"epoch/", b"owner/", b"given/")
_OF_LANES = (BASE_PREFIX, b"dropping/")
_OF_CLIENTS = b"idempotency/"


@lru_cache(maxsize=4096)
def shard_of_name(name: bytes, shards: int) -> int:
    """The shard of a run id or of another name, the same in every process and version."""
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % shards


def shard_of_run(run_id: str, shards: int) -> int:
    """The shard of a run."""
    return shard_of_name(run_id.encode(), shards)


def shard_of_key(database: Database, key: bytes, shards: int) -> int | None:
    """The shard that has the key, of ``shards``; None when it may be any: its value lies beside the run that needs it.

    A key of ``meta`` that belongs to no run lies where its hash says.
    """
    if database in _BY_LANE:
        return _shard_of_lane(key, shards)
    if database in _BESIDE_A_RUN:
        return None
    if database == "meta":
        return _shard_of_meta(key, shards)
    return shard_of_name(_name(database, key), shards)


def shard_of_prefix(database: Database, prefix: bytes, shards: int) -> int | None:
    """The shard that has all keys with the prefix; None when they may lie in several."""
    if shards == 1:
        return 0
    if database in _BY_LANE:
        return _shard_of_lane(prefix, shards) if len(prefix) >= _ROOT_BYTES else None
    if database == "memory":
        return shard_of_name(prefix[:_NAMESPACE_BYTES], shards) if len(prefix) >= _NAMESPACE_BYTES else None
    if database == "approvals":
        return shard_of_name(_until_zero(prefix), shards) if b"\x00" in prefix else None
    if database == "meta" and prefix.startswith(b"given/") and b"\x00" in prefix:
        return _shard_of_meta(prefix, shards)
    for kind in _OF_LANES:
        if database == "meta" and prefix.startswith(kind) and len(prefix) >= len(kind) + _ROOT_BYTES:
            return _shard_of_meta(prefix, shards)
    return None


def _name(database: Database, key: bytes) -> bytes:
    if database == "memory":
        return key[:_NAMESPACE_BYTES]
    if database == "by_time":
        return key[_TIME_BYTES:]
    return _until_zero(key) if database == "approvals" else key


def _shard_of_meta(key: bytes, shards: int) -> int | None:
    if key.startswith(_OF_CLIENTS):
        return None
    if key.startswith(CHILD_PREFIX):
        return shard_of_name(key.rpartition(b"\x00")[2], shards)
    for kind in _OF_RUNS:
        if key.startswith(kind):
            return shard_of_name(_until_zero(key[len(kind) :]), shards)
    for kind in _OF_LANES:
        if key.startswith(kind):
            return _shard_of_lane(key[len(kind) :], shards)
    return shard_of_name(key, shards)


def _shard_of_lane(lane: bytes, shards: int) -> int:
    return int.from_bytes(lane[:_ROOT_BYTES], "big") % shards


def _until_zero(key: bytes) -> bytes:
    return key.partition(b"\x00")[0]
