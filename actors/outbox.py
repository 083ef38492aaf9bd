"""Writes to memory that lie in another shard than the run whose record speaks of them.

The run's shard stores them with the record, in its *outbox*, in one transaction. The other shard then makes them once,
with a marker that says so; the outbox is emptied, and then the marker goes too. Whoever sends them, and however often:
the client that wrote the record, or the run's shard when that client is gone.
"""

import asyncio
from collections.abc import Sequence

import orjson
import ray
from ray.exceptions import RayError

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write

from .config import ClusterConfig
from .journal_messages import Result, Submitted
from .routing import shard_of_key

_OUTBOX = b"outbox/"
_DELIVERED = b"delivered/"
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0


def shard_name(index: int) -> str:
    """The name of the Ray actor of that shard."""
    return f"journal-{index}"


def client_prefix(client: str) -> bytes:
    """What the ids of a client's deliveries begin with."""
    return client.encode() + b"\x00"


def delivery_id(client: str, number: int) -> bytes:
    """The id of a client's delivery; they are made in the order of their numbers."""
    return client_prefix(client) + number.to_bytes(8, "big")


def outbox_write(delivery: bytes, place: int, writes: Sequence[Write]) -> Write:
    """The write that puts ``writes``, all of one shard, into the outbox; ``place`` tells those of a delivery apart."""
    pairs = [(write.key.hex(), None if write.value is None else write.value.hex()) for write in writes]
    return Write("meta", _OUTBOX + delivery + place.to_bytes(2, "big"), orjson.dumps(pairs))


def delivered(entry: Write, writes: Sequence[Write]) -> Submitted:
    """What the other shard is given for that entry of the outbox."""
    return Submitted(tuple(writes), once=_DELIVERED + entry.key[len(_OUTBOX) :])


class Outbox:
    """The outbox of a shard, emptied by the shard itself."""

    def __init__(self, store: LocalStore, config: ClusterConfig) -> None:
        self._store = store
        self._config = config

    def clients(self) -> set[str]:
        """Whose writes are in it."""
        return {key[len(_OUTBOX) :].partition(b"\x00")[0].decode() for key in self._store.keys("meta", _OUTBOX)}

    async def empty(self, client: str) -> None:
        """Have every write of the client made, which is gone. Waits for shards that cannot be reached."""
        for key, value in list(self._store.scan("meta", _OUTBOX + client_prefix(client))):
            writes = _unpack(value)
            target = shard_of_key("memory", writes[0].key, self._config.shards)
            assert target is not None
            await self._deliver(target, delivered(Write("meta", key, None), writes))
            await self._store.commit([Write("meta", key, None)])
            await self._deliver(target, Submitted((Write("meta", _DELIVERED + key[len(_OUTBOX) :], None),)))

    async def _deliver(self, shard: int, submitted: Submitted) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                actor = ray.get_actor(shard_name(shard), namespace=self._config.namespace)
                result: Result = await actor.deliver.remote(submitted)
                if isinstance(result, int):
                    return
            except (RayError, ValueError):  # it is being restarted, or not up yet: nobody has its name
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE_S)


def _unpack(value: bytes) -> list[Write]:
    return [
        Write("memory", bytes.fromhex(key), None if text is None else bytes.fromhex(text))
        for key, text in orjson.loads(value)
    ]
