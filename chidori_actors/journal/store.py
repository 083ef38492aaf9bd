"""A store: the journal's databases, read at once and written by group commit, wherever they lie."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from .writes import Database, Fence, Write

__all__ = ["Announce", "Database", "Done", "Fence", "Locks", "Store", "Write"]

Done = Callable[[BaseException | None], None]
"""Called on the submitting event loop with None, or with why nothing was written."""


Announce = Callable[[str], None]
"""Told the URL of the server that has a store, for whoever is refused it."""


class Locks(Protocol):
    """Which runs are this process's. The locks of a process that ended, however it ended, are free."""

    def lock(self, run_id: str) -> bool:
        """Whether the run is ours from now on; False when somebody has it, another part of this process included.

        This thread may have to wait for the answer.
        """
        ...

    async def take(self, run_id: str) -> bool:
        """The same; nothing else waits."""
        ...

    def unlock(self, run_id: str) -> None:
        """Give the run free if it is ours."""
        ...


class Store(Protocol):
    """An open store. Values are written by ``commit`` or ``submit`` and may be read once these have reported success.

    With durability ``strict`` that means they are on the disk; with ``relaxed`` they survive the process that writes
    them, not a power loss.
    """

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""
        ...

    def locks(self) -> Locks:
        """The locks of this process on the store's runs."""
        ...

    async def commit(self, writes: Sequence[Write], *, fence: Fence | None = None) -> None:
        """Write all of ``writes`` or none, in the order of the calls; returns when they are durable.

        Cancelling the waiter does not undo the write.

        Raises:
            StoreError: the transaction failed (a full disk, …); nothing of it was written.
            LeaseLost: ``fence`` does not stand any more.
        """
        ...

    def submit(self, writes: Sequence[Write], fence: Fence | None, done: Done, *, alone: bool = False) -> None:
        """The same as ``commit`` without a future: ``done`` is called on this event loop, never within the call.

        ``alone``: the submitter has nothing else to do until then.

        Raises:
            ValueError: a key is empty or longer than 511 bytes.
        """
        ...

    async def increment(
        self, counter: bytes, writes: Sequence[Write] = (), *, run_id: str | None = None, above: int = 0
    ) -> int:
        """Raise the number at key ``counter`` of ``meta``, durably and together with ``writes``.

        The new number, which ``counter`` never gave before; a store in one piece counts 1, 2, 3, … A store in several
        pieces counts in that of the run ``run_id``, and past ``above``, a number that ``counter`` gave in any of them.
        """
        ...

    async def flush(self) -> None:
        """Wait until everything that was submitted before has been committed or has failed."""
        ...

    def get(self, database: Database, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        ...

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
        iteration goes on may or may not be seen.
        """
        ...

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
        ...

    def decide(
        self,
        database: Database,
        prefix: bytes,
        choose: Callable[[list[tuple[bytes, bytes]]], Sequence[Write]],
    ) -> None:
        """Commit what ``choose`` makes of the pairs whose keys begin with ``prefix``; nobody writes those in between.

        This thread waits meanwhile. ``choose`` may be asked again when somebody did.

        Raises:
            StoreError: the transaction failed; nothing of it was written.
        """
        ...

    def watch_commits(self, took: Callable[[float], None]) -> None:
        """Tell ``took`` how many seconds each transaction took, on whatever thread made it; the last watcher counts."""
        ...

    def serving(self) -> AbstractAsyncContextManager[Announce]:
        """Be a server of the store for as long as this lasts; does not wait. What it gives is to be told its URL.

        Raises:
            StoreError: another server has it to itself (the message names it).
        """
        ...

    def close(self) -> None:
        """Give it free. Idempotent."""
        ...
