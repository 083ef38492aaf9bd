"""A journal shard: the Ray actor that commits what the hosts of a cluster send, together."""

import asyncio
import hashlib
import secrets
import time
import warnings
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

import ray

from chidori_actors.errors import LeaseLost, StoreError
from chidori_actors.journal.chunks import Pairs
from chidori_actors.journal.lanes import LANE_COUNTER
from chidori_actors.journal.store import Write
from chidori_actors.journal.writes import Database, epoch_key

from .config import ClusterConfig
from .journal_messages import Committed, Locked, Result, Submitted
from .outbox import Outbox, client_prefix
from .shard_locks import ShardLocks
from .shard_store import open_shard

GRACE_S = 3.0
"""So long a shard that was restarted lets its clients say which locks they hold, before it gives any to others."""
_FORGOTTEN = 10_000
_APPLIED = b"applied/"


def pairs_digest(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What tells two readings of a range of keys apart."""
    digest = hashlib.sha256()
    for part in (part for pair in pairs for part in pair):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


@dataclass(slots=True)
class _Client:
    """The last batch of a client: its number and its results, which may still be on their way."""

    number: int = 0
    results: Awaitable[list[Result]] | None = None


class JournalShard:
    """Shard ``index`` of the journal. Everything a client asks may be asked again: it is answered, not done, again.

    Raises:
        StoreError: its store cannot be opened.
    """

    def __init__(self, config: ClusterConfig, index: int) -> None:
        self._config = config
        self._index = index
        self._refusal: StoreError | None = None
        try:
            self._store = open_shard(config, index)
        except StoreError as refusal:
            if _was_restarted():
                raise
            # Ray would tell of it as of a crash; whoever starts it asks for its place first.
            self._refusal = refusal
            return
        self._generation = secrets.token_hex(8)
        self._clients: dict[str, _Client] = {}
        self._forgotten: dict[str, None] = {}
        self._locks = ShardLocks(config.lost_after_s)
        self._outbox = Outbox(self._store, config)
        self._under_way: dict[bytes, asyncio.Future[Result]] = {}
        # After a restart, others may hold locks that nobody here knows of yet.
        self._grace_until = time.monotonic() + GRACE_S if _was_restarted() else 0.0
        self._left_over: asyncio.Task[None] | None = None

    async def place(self) -> tuple[str, str]:
        """The id of the node and the path of the store.

        Raises:
            StoreError: it cannot be opened, and the actor is good for nothing.
        """
        if self._refusal is not None:
            raise self._refusal
        return ray.get_runtime_context().get_node_id(), str(self._store.path)

    async def hello(self, client: str) -> str:
        """A sign of life of the client, which keeps its locks; the generation of this shard."""
        self._hear(client)
        return self._generation

    async def commit(self, client: str, number: int, batch: Sequence[Submitted]) -> Committed:
        """Make the writes of ``batch``, each submission in one transaction, and all of them in few.

        ``number`` ascends by one with each batch of ``client``, which has one under way at a time.
        """
        self._hear(client)
        if client in self._forgotten:
            return Committed(self._generation, [_fenced(client) for _ in batch])
        last = self._clients.setdefault(client, _Client())
        if number > last.number or last.results is None:
            last.number = number
            last.results = asyncio.gather(*self._begin(client, number, batch))
        elif number < last.number:
            return Committed(self._generation, [_overtaken(client, number) for _ in batch])
        return Committed(self._generation, await asyncio.shield(last.results))

    def _begin(self, client: str, number: int, batch: Sequence[Submitted]) -> list[asyncio.Future[Result]]:
        """Hand every submission to the store, in order and at once: so those of many clients share a transaction."""
        begun = []
        places = 0
        for submitted in batch:
            marker = _once(submitted)
            if marker is None and any(write.database == "memory" for write in submitted.writes):
                # Another client may have written that key since, should this batch come again after a restart.
                place = places.to_bytes(4, "big")
                marker = Write("meta", _APPLIED + client_prefix(client) + place, number.to_bytes(8, "big"))
                places += 1
            begun.append(self._submit(submitted, marker))
        return begun

    def _submit(self, submitted: Submitted, marker: Write | None) -> asyncio.Future[Result]:
        if submitted.counter is not None:
            return asyncio.ensure_future(self._count(submitted, submitted.counter))
        loop = asyncio.get_running_loop()
        if marker is None:
            result: asyncio.Future[Result] = loop.create_future()
            self._store.submit(submitted.writes, submitted.fence, lambda error: _settle(result, error))
            return result
        known = self._under_way.get(marker.key)
        if known is not None:
            return known
        if self._store.get("meta", marker.key) == marker.value:
            result = loop.create_future()
            result.set_result(0)
            return result
        return self._submit_marked(submitted, marker)

    def _submit_marked(self, submitted: Submitted, marker: Write) -> asyncio.Future[Result]:
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._under_way[marker.key] = result

        def done(error: BaseException | None) -> None:
            self._under_way.pop(marker.key, None)
            _settle(result, error)

        self._store.submit((*submitted.writes, marker), submitted.fence, done)
        return result

    async def _count(self, submitted: Submitted, counter: bytes) -> Result:
        shards = self._config.shards
        try:
            if counter != LANE_COUNTER or shards == 1:
                return await self._store.increment(counter, submitted.writes)
            # The numbers of root lanes tell their shard: modulo the number of shards, they are its own.
            first = self._index or shards
            self._raise_counter(counter, max(0, (submitted.above - first) // shards + 1))
            return (await self._store.increment(counter, submitted.writes) - 1) * shards + first
        except Exception as error:
            return error

    def _raise_counter(self, counter: bytes, least: int) -> None:
        if least <= int.from_bytes(self._store.get("meta", counter) or b"", "big"):
            return

        def choose(found: list[tuple[bytes, bytes]]) -> list[Write]:
            count = int.from_bytes(dict(found).get(counter, b""), "big")
            return [] if count >= least else [Write("meta", counter, least.to_bytes(8, "big"))]

        self._store.decide("meta", counter, choose)

    async def lock(self, client: str, run_id: str, generation: str | None) -> Locked:
        """Make the run the client's, unless another has it. ``generation`` is the one that the client knows."""
        self._hear(client)
        if generation != self._generation:
            return Locked(self._generation, None)
        remaining = self._grace_until - time.monotonic()
        if remaining > 0 and self._store.get("meta", epoch_key(run_id)) is not None:  # somebody has had it
            await asyncio.sleep(remaining)
        return Locked(self._generation, client not in self._forgotten and self._locks.take(client, run_id))

    async def unlock(self, client: str, run_id: str) -> None:
        """Give the run free, if it is the client's."""
        self._locks.give(client, run_id)

    async def assert_locks(self, client: str, run_ids: Sequence[str]) -> tuple[str, list[str]]:
        """The client has held these locks since before this shard began; the generation, and those that it has lost."""
        self._hear(client)
        if client in self._forgotten:
            return self._generation, list(run_ids)
        return self._generation, [run_id for run_id in run_ids if not self._locks.take(client, run_id)]

    async def forget(self, client: str) -> None:
        """The client is dead: its locks are free, and what it still sends is refused.

        Returns when all that it had sent is written, and every write to memory that its records speak of is made.
        """
        self._forgotten[client] = None
        while len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        last = self._clients.pop(client, None)
        if last is not None and last.results is not None:
            await last.results
        self._locks.give_all(client)
        await self._outbox.empty(client)
        markers = [Write("meta", key, None) for key in self._store.keys("meta", _APPLIED + client_prefix(client))]
        if markers:
            await self._store.commit(markers)

    async def clients(self) -> list[str]:
        """Those that have given signs of life, and were not forgotten since."""
        return self._locks.clients

    async def deliver(self, submitted: Submitted) -> Result:
        """Make the writes of another shard's outbox, or drop the marker of such ones."""
        return await self._submit(submitted, _once(submitted))

    async def get(self, database: Database, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        return self._store.get(database, key)

    async def chunk(
        self,
        database: Database,
        prefix: bytes,
        position: bytes | None,
        seen: bytes | None,
        reverse: bool,
        items: int,
        values: bool,
    ) -> tuple[Pairs, bool]:
        """Some pairs, as ``LocalStore.chunk`` reads them."""
        return self._store.chunk(database, prefix, position, seen, reverse, items, values)

    async def compare_and_commit(
        self, database: Database, prefix: bytes, digest: bytes, writes: Sequence[Write]
    ) -> bool:
        """Make ``writes`` if the pairs whose keys begin with ``prefix`` still have that digest; whether they have."""
        same = False

        def choose(pairs: list[tuple[bytes, bytes]]) -> Sequence[Write]:
            nonlocal same
            same = pairs_digest(pairs) == digest
            return writes if same else ()

        self._store.decide(database, prefix, choose)
        return same

    def _hear(self, client: str) -> None:
        if self._locks.hear(client):
            for silent in self._locks.drop_silent():
                self._clients.pop(silent, None)
        if self._left_over is None:
            self._left_over = asyncio.create_task(self._deliver_left_over())

    async def _deliver_left_over(self) -> None:
        """Make the writes of clients that ended while this shard was not there; those that live make theirs."""
        await asyncio.sleep(self._grace_until - time.monotonic())
        for client in self._outbox.clients():
            if not self._locks.knows(client):
                await self._outbox.empty(client)


def _was_restarted() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own, of what it calls to find out
        return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _once(submitted: Submitted) -> Write | None:
    return None if submitted.once is None else Write("meta", submitted.once, b"")


def _settle(result: asyncio.Future[Result], error: BaseException | None) -> None:
    if error is None:
        result.set_result(0)
    else:
        result.set_result(error if isinstance(error, Exception) else StoreError(str(error)))


def _fenced(client: str) -> LeaseLost:
    return LeaseLost(
        f"{client} was declared dead, and its runs were given to others; it may write nothing more",
        hint="nothing is lost: its runs go on elsewhere; see `chidori runs`",
    )


def _overtaken(client: str, number: int) -> StoreError:
    return StoreError(
        f"batch {number} of {client} came after a later one", hint="give every client of the journal a name of its own"
    )
