"""The numbers that a run gives out: to calls, to settlements, to the lanes of its actors."""

import sys
from typing import Protocol


class Numbers(Protocol):
    """``seq``, ``index`` and ``lane`` are the last ones known to be given out."""

    seq: int
    index: int
    lane: int

    @property
    def ready(self) -> int:
        """How many calls can be given a number at once."""
        ...

    async def make_ready(self, calls: int = 0, lanes: int = 0) -> None:
        """Return once so many numbers for calls and so many lanes can be given out at once."""
        ...

    def next_seq(self) -> int: ...

    def next_index(self) -> int:
        """The next settlement's; 0 where whoever writes the settlement gives it its number."""
        ...

    def next_lane(self) -> int:
        """A lane that no actor of the run has."""
        ...


class OwnNumbers:
    """Where the run's own counters are."""

    ready = sys.maxsize

    def __init__(self, seq: int, index: int, lane: int) -> None:
        self.seq = seq
        self.index = index
        self.lane = lane

    async def make_ready(self, calls: int = 0, lanes: int = 0) -> None: ...

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def next_index(self) -> int:
        self.index += 1
        return self.index

    def next_lane(self) -> int:
        self.lane += 1
        return self.lane
