"""What an actor that lives elsewhere writes with: the home has the counters and the lease."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from chidori_actors.journal.lanes import Entry, Settled, encode_entry
from chidori_actors.journal.store import Done, Write
from chidori_actors.session.outcome import Rest

Tell = Callable[..., None]

_AHEAD = 32
"""So many numbers for calls are asked for at once; those that nobody needs are left out."""


class LentNumbers:
    """Implements ``Numbers``: the run's home gives them out in small lots."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.seq = 0
        self.index = 0
        self.lane = 0
        self._seqs: deque[int] = deque()
        self._lanes: deque[int] = deque()
        self._asked = [0, 0]
        self._came = asyncio.Event()

    @property
    def ready(self) -> int:
        return len(self._seqs)

    async def make_ready(self, calls: int = 0, lanes: int = 0) -> None:
        while len(self._seqs) < calls or len(self._lanes) < lanes:
            self._ask(calls, lanes)
            self._came.clear()
            await self._came.wait()

    def next_seq(self) -> int:
        self.seq = self._seqs.popleft()
        if not self._seqs:
            self._ask(1, 0)
        return self.seq

    def next_index(self) -> int:
        return 0

    def next_lane(self) -> int:
        self.lane = self._lanes.popleft()
        return self.lane

    def take(self, seqs: list[int], lanes: list[int]) -> None:
        """The home gives these."""
        self._asked = [self._asked[0] - len(seqs), self._asked[1] - len(lanes)]
        self._seqs.extend(seqs)
        self._lanes.extend(lanes)
        self._drop_used()
        self._came.set()

    def know(self, seq: int, index: int) -> None:
        """The run has got so far elsewhere: along a lane numbers ascend, also when its actor moves."""
        self.seq = max(self.seq, seq)
        self.index = max(self.index, index)
        self._drop_used()

    def _drop_used(self) -> None:
        while self._seqs and self._seqs[0] <= self.seq:
            self._seqs.popleft()

    def _ask(self, calls: int, lanes: int) -> None:
        calls = calls - len(self._seqs) - self._asked[0]
        lanes = lanes - len(self._lanes) - self._asked[1]
        if calls > 0 or lanes > 0:
            more = max(calls, _AHEAD) if calls > 0 else 0, max(lanes, 0)
            self._asked = [self._asked[0] + more[0], self._asked[1] + more[1]]
            self._tell("need", *more)


class LentLaneWriter:
    """Implements ``LaneWriter`` for the actor ``number``: the home appends, numbers and commits. With each commit it is
    told what ``told_too`` gives."""

    def __init__(self, lane: int, length: int, tell: Tell, told_too: Callable[[], tuple[Any, ...]]) -> None:
        self.lane = lane
        self.length = length
        self.submitted = 0
        self.number = 0
        self._tell = tell
        self._told_too = told_too
        self._entries: list[Entry] = []
        self._ended: dict[int, int] = {}
        self._writes: list[Write] = []
        self._rest: Rest | None = None
        # Who waits for each commit that is under way.
        self._waiting: deque[list[Done]] = deque()

    @property
    def has_unsent(self) -> bool:
        return bool(self._entries or self._writes)

    def append(self, entry: Entry) -> int:
        number = self.length
        self.length = number + 1
        self._entries.append(entry)
        return number

    def append_end(self, settled: Settled, started: int) -> int:
        number = self.append(settled)
        self._ended[number] = started
        return number

    def attach(self, writes: Iterable[Write]) -> None:
        self._writes += writes

    def begun(self) -> list[Write]:
        """What an actor's lane begins with, for the home to write with what comes first."""
        first = self.length - len(self._entries)
        entries = [encode_entry(self.lane, first + place, entry) for place, entry in enumerate(self._entries)]
        return [*(write for writes in entries for write in writes), *self._writes]

    def ending(self, rest: Rest) -> tuple[Write, ...]:
        """The actor came to rest; the home knows what belongs to that (``Closing``)."""
        self._rest = rest
        return ()

    def submit(self, done: Done, writes: Iterable[Write] = (), *, alone: bool = False) -> None:
        self.submitted += 1
        self._waiting.append([done])
        taken = self._entries, self._ended, [*self._writes, *writes], self._rest
        self._entries, self._ended, self._writes, self._rest = [], {}, [], None
        self._tell("commit", self.number, *taken, *self._told_too())

    async def commit(self, writes: Iterable[Write] = ()) -> None:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        taken = list(writes)
        if self._entries or self._writes or taken or self._rest is not None:
            self.submit(lambda error: _settle(durable, error), taken)
        elif self._waiting:
            self._waiting[-1].append(lambda error: _settle(durable, None))
        else:
            return
        await durable

    def committed(self, error: BaseException | None) -> None:
        """The oldest commit that is under way has ended."""
        for done in self._waiting.popleft():
            done(error)


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
