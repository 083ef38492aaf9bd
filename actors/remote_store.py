"""The store of a cluster: the journal's shards, as one ``chidori_actors.journal.store.Store``."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from itertools import count

import ray

from chidori_actors.errors import StoreError
from chidori_actors.journal.chunks import Pairs, read_pairs
from chidori_actors.journal.commits import check_keys
from chidori_actors.journal.store import Announce, Done
from chidori_actors.journal.writes import Database, Fence, Write

from .config import ClusterConfig
from .journal import pairs_digest
from .journal_messages import Result, Submitted
from .outbox import delivered, delivery_id, outbox_write
from .routing import shard_of_key, shard_of_prefix, shard_of_run
from .shard_link import ShardLink
from .shards import ShardAddress


class RemoteStore:
    """The journal of a cluster, as the process sees it that is called ``client`` there (a name never used before).

    Made in the process that uses it; its writes need an event loop, its reads and locks none. A shard whose store is
    on this node is read there directly. A write to memory that lies in another shard than the run that makes it is
    recorded with the run first, and then made once.
    """

    def __init__(self, client: str, shards: Sequence[ShardAddress], config: ClusterConfig) -> None:
        here = ray.get_runtime_context().get_node_id()
        self.path = config.store
        self.lost = asyncio.Event()
        self._client = client
        self._deliveries = count(1)
        self._links = [ShardLink(client, address, config, address.node_id == here) for address in shards]
        self._last_read = 0
        # What the runs submitted that wait for a write to memory elsewhere, and how each ended that has.
        self._ordered: dict[str, deque[tuple[Done, list[tuple[BaseException | None]]]]] = {}
        for link in self._links:
            link.on_lost = self.lost.set

    @property
    def reachable(self) -> bool:
        """Whether every shard answered the last time; False while one is being asked again."""
        return all(link.reachable for link in self._links)

    def locks(self) -> "RemoteStore":
        """The locks of this client on the store's runs: the store itself."""
        return self

    def lock(self, run_id: str) -> bool:
        """Whether the run is ours from now on; False when somebody has it, another part of this process included.

        This thread waits for the shard.

        Raises:
            StoreError: the shard cannot be reached.
        """
        link = self._links[shard_of_run(run_id, len(self._links))]
        self._show_life(link)
        return link.lock(run_id)

    async def take(self, run_id: str) -> bool:
        """The same; only the caller waits."""
        link = self._links[shard_of_run(run_id, len(self._links))]
        self._show_life(link)
        return await link.take(run_id)

    def unlock(self, run_id: str) -> None:
        """Give the run free if it is ours; does not wait."""
        self._links[shard_of_run(run_id, len(self._links))].unlock(run_id)

    def _show_life(self, link: ShardLink) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return  # a lock without an event loop is held for a moment
        link.begin_beat()

    async def commit(self, writes: Sequence[Write], *, fence: Fence | None = None) -> None:
        """Write all of ``writes`` or none, as ``submit`` does; returns when they are durable.

        Raises:
            StoreError: the transaction failed (a full disk, …), or the journal cannot be reached.
            LeaseLost: ``fence`` does not stand any more.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.submit(writes, fence, partial(_settle_done, future))
        await future

    def submit(self, writes: Sequence[Write], fence: Fence | None, done: Done, *, alone: bool = False) -> None:
        """The same without a future: ``done`` is called on this event loop, never within the call.

        Of writes without a fence that lie in several shards, those of each shard are one transaction.

        Raises:
            ValueError: a key is empty or longer than 511 bytes, or belongs to another shard than ``fence``'s run.
            StoreError: the store was closed.
        """
        check_keys(writes)
        if len(self._links) == 1:
            self._links[0].submit(Submitted(tuple(writes), fence), lambda result: done(_error(result)))
        elif fence is not None:
            self._submit_run(writes, fence, done)
        else:
            parts = self._parts(writes)
            self._submit_parts([(shard, Submitted(tuple(part))) for shard, part in parts.items()], done)

    def _submit_run(self, writes: Sequence[Write], fence: Fence, done: Done) -> None:
        """The writes of a run: those to memory of another shard go there once those to the run's are durable."""
        home = shard_of_run(fence.run_id, len(self._links))
        parts: dict[int, list[Write]] = {home: []}
        for write in writes:
            shard = shard_of_key(write.database, write.key, len(self._links))
            if shard not in (None, home) and write.database != "memory":
                raise ValueError(f"run {fence.run_id} writes to {write.database} of another shard of the journal")
            parts.setdefault(home if shard is None else shard, []).append(write)
        own = parts.pop(home)
        delivery = delivery_id(self._client, next(self._deliveries)) if parts else b""
        entries = {shard: outbox_write(delivery, shard, part) for shard, part in parts.items()}
        if parts or fence.run_id in self._ordered:
            done = self._in_order(fence.run_id, done)

        def recorded(result: Result) -> None:
            if isinstance(result, Exception) or not parts:
                done(_error(result))
                return
            waiting = [(shard, delivered(entries[shard], part)) for shard, part in parts.items()]
            self._submit_parts(waiting, partial(self._made, home, waiting, list(entries.values()), done))

        self._links[home].submit(Submitted((*own, *entries.values()), fence), recorded)

    def _in_order(self, run_id: str, done: Done) -> Done:
        """``done``, called no earlier than those of what the run submitted before: its actors hear of settlements in
        the order of their lanes."""
        queue = self._ordered.setdefault(run_id, deque())
        place: list[tuple[BaseException | None]] = []
        queue.append((done, place))

        def ended(error: BaseException | None) -> None:
            place.append((error,))
            while queue and queue[0][1]:
                first, (ending,) = queue.popleft()
                first(*ending)
            if not queue:
                self._ordered.pop(run_id, None)

        return ended

    def _made(
        self,
        home: int,
        made: Sequence[tuple[int, Submitted]],
        entries: Sequence[Write],
        done: Done,
        error: BaseException | None,
    ) -> None:
        """Other shards have a run's writes to memory: its outbox is emptied, and then their markers are dropped."""
        done(error)
        if error is not None:
            return  # the outbox keeps them: they are made when this client is gone

        def emptied(result: Result) -> None:
            if isinstance(result, int):
                markers = ((shard, Write("meta", part.once, None)) for shard, part in made if part.once is not None)
                self._submit_parts([(shard, Submitted((marker,))) for shard, marker in markers], _ignore)

        self._try(home, Submitted(tuple(Write("meta", entry.key, None) for entry in entries)), emptied)

    def _submit_parts(self, parts: Sequence[tuple[int, Submitted]], done: Done) -> None:
        """``done`` when all have ended, with the first error."""
        left = len(parts)
        failed: BaseException | None = None

        def ended(result: Result) -> None:
            nonlocal left, failed
            left -= 1
            failed = failed or _error(result)
            if not left:
                done(failed)

        for shard, submitted in parts:
            self._try(shard, submitted, ended)

    def _try(self, shard: int, submitted: Submitted, ended: Callable[[Result], None]) -> None:
        """Submit it; a store that was closed meanwhile is one more way to fail."""
        try:
            self._links[shard].submit(submitted, ended)
        except StoreError as error:
            asyncio.get_running_loop().call_soon(ended, error)

    def _parts(self, writes: Sequence[Write]) -> dict[int, list[Write]]:
        """Writes without a fence by shard. Those that may lie in any go with the others, or to every one."""
        parts: dict[int, list[Write]] = {}
        anywhere = []
        for write in writes:
            shard = shard_of_key(write.database, write.key, len(self._links))
            if shard is None:
                anywhere.append(write)
            else:
                parts.setdefault(shard, []).append(write)
        if not parts:
            parts = {shard: [] for shard in range(len(self._links))}
        for part in parts.values():
            part += anywhere
        return parts

    async def increment(
        self, counter: bytes, writes: Sequence[Write] = (), *, run_id: str | None = None, above: int = 0
    ) -> int:
        """Raise the number at key ``counter`` of ``meta``, durably and together with ``writes``, of the same shard.

        The new number, which ``counter`` never gave before; it may skip some. See ``Store``.
        """
        check_keys(writes)
        shards = len(self._links)
        shard = shard_of_key("meta", counter, shards) if run_id is None else shard_of_run(run_id, shards)
        if shard is None or any(shard_of_key(write.database, write.key, shards) != shard for write in writes):
            raise ValueError(f"counter {counter!r} and what is written with it belong to different shards")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._links[shard].submit(Submitted(tuple(writes), None, counter, above), partial(_settle, future))
        return await future

    async def flush(self) -> None:
        """Wait until everything that was submitted before has been committed or has failed."""
        # Twice: by the first time all that goes on to another shard has been submitted there.
        for _ in self._links[:2]:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            every = [(shard, Submitted(())) for shard in range(len(self._links))]
            self._submit_parts(every, partial(_settle_done, future))
            await future

    def get(self, database: Database, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        shard = shard_of_key(database, key, len(self._links))
        if shard is not None:
            self._last_read = shard
            return self._get_from(shard, database, key)
        # What a run refers to lies with it: most likely where we have just read.
        others = (other for other in range(len(self._links)) if other != self._last_read)
        found = (self._get_from(other, database, key) for other in (self._last_read, *others))
        return next((value for value in found if value is not None), None)

    def _get_from(self, shard: int, database: Database, key: bytes) -> bytes | None:
        link = self._links[shard]
        if link.reader is not None:
            return link.reader.get(database, key)
        value: bytes | None = link.ask_now("get", database, key)
        return value

    def scan(
        self,
        database: Database,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with ``prefix`` and their values, in key order, of all shards; see ``Store``."""
        return self._read(database, prefix, start, reverse, limit, True)

    def keys(
        self,
        database: Database,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[bytes]:
        """The keys alone, as ``scan`` gives them; the values are not read."""
        return (key for key, _ in self._read(database, prefix, start, reverse, limit, False))

    def _read(
        self, database: Database, prefix: bytes, start: bytes | None, reverse: bool, limit: int | None, values: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        shard = shard_of_prefix(database, prefix, len(self._links))
        if shard is not None:
            self._last_read = shard
            return read_pairs(partial(self._chunk, shard), database, prefix, start, reverse, limit, values)
        every = (
            read_pairs(partial(self._chunk, shard), database, prefix, start, reverse, limit, values)
            for shard in range(len(self._links))
        )
        return _merged(every, reverse, limit)

    def _chunk(
        self,
        shard: int,
        database: Database,
        prefix: bytes,
        position: bytes | None,
        seen: bytes | None,
        reverse: bool,
        items: int,
        values: bool,
        /,
    ) -> tuple[Pairs, bool]:
        link = self._links[shard]
        if link.reader is not None:
            return link.reader.chunk(database, prefix, position, seen, reverse, items, values)
        answer: tuple[Pairs, bool] = link.ask_now("chunk", database, prefix, position, seen, reverse, items, values)
        return answer

    def decide(
        self, database: Database, prefix: bytes, choose: Callable[[list[tuple[bytes, bytes]]], Sequence[Write]]
    ) -> None:
        """Commit what ``choose`` makes of the pairs whose keys begin with ``prefix``; nobody writes those in between.

        This thread waits meanwhile. ``choose`` is asked again when somebody did. With pairs in several shards, nobody
        writes those of a shard before the writes to that shard are made.

        Raises:
            StoreError: the journal cannot be reached, or a transaction failed.
        """
        shard = shard_of_prefix(database, prefix, len(self._links))
        shards = range(len(self._links)) if shard is None else (shard,)
        while not self._decide_once(database, prefix, choose, shards):
            pass

    def _decide_once(
        self,
        database: Database,
        prefix: bytes,
        choose: Callable[[list[tuple[bytes, bytes]]], Sequence[Write]],
        shards: Sequence[int],
    ) -> bool:
        read: dict[int, Pairs] = {
            shard: list(read_pairs(partial(self._chunk, shard), database, prefix, None, False, None, True))
            for shard in shards
        }
        writes = choose(sorted(pair for pairs in read.values() for pair in pairs))
        check_keys(writes)
        return all(
            self._links[shard].ask_now("compare_and_commit", database, prefix, pairs_digest(read.get(shard, [])), part)
            for shard, part in (self._parts(writes) if writes else {}).items()
        )

    def watch_commits(self, took: Callable[[float], None]) -> None:
        """Tell ``took`` how many seconds each batch took from here to the disk and back; the last watcher counts."""
        for link in self._links:
            link.took = took

    def serving(self) -> AbstractAsyncContextManager[Announce]:
        """Several servers may have the store of a cluster: its hosts drive the runs, and each has locked its own."""
        return nullcontext(lambda url: None)

    def close(self) -> None:
        """Give it free. What was submitted and not waited for may be written or not. Idempotent."""
        for link in self._links:
            link.close()


def _merged(
    sources: Iterator[Iterator[tuple[bytes, bytes]]], reverse: bool, limit: int | None
) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of several shards in order; of a key that several have, which is that of a blob, one."""
    last: bytes | None = None
    left = limit
    for key, value in heapq.merge(*sources, key=lambda pair: pair[0], reverse=reverse):
        if left == 0:
            return
        if key != last:
            yield key, value
            last = key
            left = None if left is None else left - 1


def _error(result: Result) -> Exception | None:
    return result if isinstance(result, Exception) else None


def _settle_done(future: asyncio.Future[int], error: BaseException | None) -> None:
    _settle(future, error or 0)


def _settle(future: asyncio.Future[int], result: int | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _ignore(error: BaseException | None) -> None:
    """Nobody waits for it."""
