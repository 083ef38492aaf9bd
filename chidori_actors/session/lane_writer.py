"""The writing end of one actor's lane."""

from collections.abc import Iterable
from typing import Protocol

from ..journal.lanes import Entry, Settled, encode_entry
from ..journal.store import Done, Fence, Store, Write
from .event_log import EventLog


class LaneWriter(Protocol):
    """Collects entries and commits them in order. ``length`` is the number of the next one, ``submitted`` how many
    submissions there were.

    What is only appended rides in the same transaction as the next submission: a ``started`` entry of a call that may
    be repeated costs no commit of its own.
    """

    lane: int
    length: int
    submitted: int

    @property
    def has_unsent(self) -> bool:
        """Whether anything waits for the next submission."""
        ...

    def append(self, entry: Entry) -> int:
        """Put ``entry`` behind the last one; its number. Durable with the next submission."""
        ...

    def append_end(self, settled: Settled, started: int) -> int:
        """The same for the end of a call of this actor, whose start is at that place of the lane."""
        ...

    def attach(self, writes: Iterable[Write]) -> None:
        """Write these too, together with what was appended before."""
        ...

    def submit(self, done: Done, writes: Iterable[Write] = (), *, alone: bool = False) -> None:
        """Commit what was appended and ``writes`` in one transaction; ``done`` hears how it went (``Store.submit``)."""
        ...

    async def commit(self, writes: Iterable[Write] = ()) -> None:
        """The same, waiting until it and everything submitted before is durable.

        Raises:
            StoreError: nothing of it was written (a full disk, a lost lease).
        """
        ...


class StoreLaneWriter:
    """Writes to the store itself."""

    __slots__ = ("_ended", "_events", "_fence", "_store", "_unsent", "lane", "length", "submitted")

    def __init__(self, store: Store, fence: Fence, events: EventLog, lane: int, length: int) -> None:
        self._store = store
        self._fence = fence
        self._events = events
        self.lane = lane
        self.length = length
        self.submitted = 0
        self._unsent: list[Write] = []
        self._ended: list[tuple[int, int]] = []

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def append(self, entry: Entry) -> int:
        number = self.length
        self.length = number + 1
        self._unsent += encode_entry(self.lane, number, entry)
        return number

    def append_end(self, settled: Settled, started: int) -> int:
        number = self.append(settled)
        self._events.calls += 1
        self._ended.append((started, number))
        return number

    def attach(self, writes: Iterable[Write]) -> None:
        self._unsent += writes

    def submit(self, done: Done, writes: Iterable[Write] = (), *, alone: bool = False) -> None:
        self._store.submit(self._take(writes), self._fence, done, alone=alone)

    async def commit(self, writes: Iterable[Write] = ()) -> None:
        taken = self._take(writes)
        if taken:
            await self._store.commit(taken, fence=self._fence)
        else:
            await self._store.flush()

    def _take(self, writes: Iterable[Write]) -> list[Write]:
        self.submitted += 1
        taken = self._unsent
        taken.extend(writes)
        self._unsent = []
        if self._ended:
            taken += self._events.calls_ended(self.lane, self._ended)
            self._ended = []
        return taken
