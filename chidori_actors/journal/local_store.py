"""A store in one directory of this machine: LMDB, read at once and written by group commit."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import lmdb

from ..errors import StoreError
from ..settings import Durability
from .chunks import read_pairs
from .commits import Committer, Submission
from .environment import LEASES, Environment, open_environment, real_path
from .locks import LockFile
from .server_lock import ServerLock
from .store import Announce, Done
from .writes import Database, Fence, Write

_CHUNK_BYTES = 1 << 20


@dataclass(slots=True)
class _Shared:
    """What the stores of one path have in common."""

    environment: Environment
    committer: Committer
    durability: Durability
    process: int
    users: int = 0
    locks: LockFile | None = None


# LMDB's locks belong to the process: one that opened the same files twice would lose them at the first close.
# So the environments of this process are known here by their real path.
_opened: dict[Path, _Shared] = {}
_opening = threading.Lock()


def _share(path: Path, durability: Durability, create: bool) -> _Shared:
    with _opening:
        shared = _opened.get(path)
        if shared is None or shared.process != os.getpid():
            environment = open_environment(path, durability=durability, create=create)
            shared = _opened[path] = _Shared(environment, Committer(environment), durability, os.getpid())
        elif shared.durability != durability:
            raise StoreError(
                f"the store {path} is already open in this process with durability {shared.durability!r}",
                hint="use one CHIDORI_DURABILITY for a store",
            )
        shared.users += 1
        return shared


def _unshare(path: Path, shared: _Shared) -> None:
    with _opening:
        shared.users -= 1
        if not shared.users:
            shared.committer.close()
            shared.environment.close()
            if shared.locks is not None:
                shared.locks.close()
            del _opened[path]


class LocalStore:
    """An open store. Several in one process may have the same path; each is closed for itself.

    Values are written by ``commit`` or ``submit`` and may be read once these have reported success. With
    durability ``strict`` that means they are on the disk; with ``relaxed`` they survive this process, not a
    power loss.
    """

    def __init__(self, path: Path, shared: _Shared) -> None:
        self.path = path
        self._shared: _Shared | None = shared

    @classmethod
    def open(cls, path: Path, *, durability: Durability = "strict", create: bool = True) -> "LocalStore":
        """Open the store in the directory ``path``; with ``create``, make it when there is none.

        Raises:
            StoreError: there is none, something else is there (it is left alone), a newer version wrote it,
            it
                is damaged, or it cannot be written.
        """
        real = real_path(path)
        return cls(real, _share(real, durability, create))

    @property
    def leases(self) -> Path:
        """The directory of the lease files."""
        return self.path / LEASES

    def locks(self) -> LockFile:
        """The locks of this process on the store's runs."""
        shared = self._use()
        if shared.locks is None:
            shared.locks = LockFile(self.leases / "runs")
        return shared.locks

    def _use(self) -> _Shared:
        if self._shared is None:
            raise StoreError(f"the store {self.path} was closed")
        return self._shared

    async def commit(self, writes: Sequence[Write], *, fence: Fence | None = None) -> None:
        """Write all of ``writes`` or none, in the order of the calls; returns when they are durable.

        Cancelling the waiter does not undo the write.

        Raises:
            StoreError: the transaction failed (a full disk, …); nothing of it was written.
            LeaseLost: ``fence`` does not stand any more.
        """
        await self._enqueue(writes, fence, None)

    def submit(self, writes: Sequence[Write], fence: Fence | None, done: Done, *, alone: bool = False) -> None:
        """The same as ``commit`` without a future: ``done`` is called on this event loop, never within the call.

        ``alone``: the submitter has nothing else to do until then. A process in which only one run commits, one at a
        time, does so on its own thread.

        Raises:
            ValueError: a key is empty or longer than 511 bytes.
        """
        loop = asyncio.get_running_loop()
        self._use().committer.submit(Submission(writes, fence, None, loop, lambda ended: done(ended.error), alone))

    async def increment(
        self, counter: bytes, writes: Sequence[Write] = (), *, run_id: str | None = None, above: int = 0
    ) -> int:
        """Add one to the number at key ``counter`` of ``meta``, durably and together with ``writes``.

        The new number; the first is 1. For whose run it is, and what it has to exceed, is of no matter here.
        """
        return await self._enqueue(writes, None, counter)

    async def flush(self) -> None:
        """Wait until everything that was submitted before has been committed or has failed."""
        await self._enqueue((), None, None)

    async def _enqueue(self, writes: Sequence[Write], fence: Fence | None, counter: bytes | None) -> int:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()

        def done(ended: Submission) -> None:
            if future.done():
                return
            if ended.error is None:
                future.set_result(ended.count)
            else:
                future.set_exception(ended.error)

        self._use().committer.submit(Submission(writes, fence, counter, loop, done))
        return await future

    def serving(self) -> AbstractAsyncContextManager[Announce]:
        """Be the one server that drives the store; does not wait. What it gives is to be told its URL.

        Raises:
            StoreError: a live server has it, this process included (the message names it), or its file cannot be
                written.
        """
        return ServerLock.held(self.path, self.leases)

    def watch_commits(self, took: Callable[[float], None]) -> None:
        """Tell ``took`` how many seconds each transaction took, on the thread that made it; the last watcher counts."""
        self._use().committer.watch(took)

    def decide(
        self,
        database: Database,
        prefix: bytes,
        choose: Callable[[list[tuple[bytes, bytes]]], Sequence[Write]],
    ) -> None:
        """Commit what ``choose`` makes of the pairs whose keys begin with ``prefix``; nobody writes in between.

        Every writer of the store waits meanwhile, and this thread for them.

        Raises:
            StoreError: the transaction failed; nothing of it was written.
        """
        environment = self._use().environment
        with environment.transaction(write=True) as transaction:
            with transaction.cursor(environment.databases[database]) as cursor:
                pairs: list[tuple[bytes, bytes]] = []
                found = cursor.set_range(prefix)
                while found and cursor.key().startswith(prefix):
                    pairs.append(cursor.item())
                    found = cursor.next()
            environment.apply(transaction, choose(pairs))

    def get(self, database: Database, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        environment = self._use().environment
        with environment.transaction() as transaction:
            return transaction.get(key, db=environment.databases[database])

    def scan(
        self,
        database: Database,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with ``prefix`` and their values, in key order (``reverse``: from the last).

        ``start`` is the key to begin at, itself included. At most ``limit`` pairs. What is written while the
        iteration goes on may or may not be seen: it reads in chunks, and no transaction is open in between.
        """
        return read_pairs(self.chunk, database, prefix, start, reverse, limit, True)

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
        return (key for key, _ in read_pairs(self.chunk, database, prefix, start, reverse, limit, False))

    def chunk(
        self,
        database: Database,
        prefix: bytes,
        position: bytes | None,
        seen: bytes | None,
        reverse: bool,
        items: int,
        values: bool,
    ) -> tuple[list[tuple[bytes, bytes]], bool]:
        """Some pairs from ``position`` on, without the key ``seen``; and whether there may be more."""
        environment = self._use().environment
        chunk: list[tuple[bytes, bytes]] = []
        size = 0
        with (
            environment.transaction() as transaction,
            transaction.cursor(environment.databases[database]) as cursor,
        ):
            found = _seek_back(cursor, position) if reverse else _seek(cursor, position)
            if found and cursor.key() == seen:
                found = cursor.prev() if reverse else cursor.next()
            while found and cursor.key().startswith(prefix):
                chunk.append(cursor.item() if values else (cursor.key(), b""))
                size += len(chunk[-1][1])
                if len(chunk) == items or size > _CHUNK_BYTES:
                    return chunk, True
                found = cursor.prev() if reverse else cursor.next()
        return chunk, False

    def close(self) -> None:
        """Commit what waits, and close the environment if nobody else in this process uses it. Idempotent."""
        shared, self._shared = self._shared, None
        if shared is not None:
            _unshare(self.path, shared)


def _seek(cursor: "lmdb.Cursor[bytes]", position: bytes | None) -> bool:
    return cursor.first() if position is None else cursor.set_range(position)


def _seek_back(cursor: "lmdb.Cursor[bytes]", position: bytes | None) -> bool:
    """To the last key that is not after ``position``."""
    if position is None or not cursor.set_range(position):
        return cursor.last()
    return cursor.key() == position or cursor.prev()
