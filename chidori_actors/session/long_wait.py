"""What an actor leaves for its next commit, committed when that does not come soon."""

import asyncio

from ..journal.store import Done
from .lane_writer import LaneWriter

LONG_SECONDS = 0.25
LATE_SECONDS = 0.02
MOST_DELAYS = 8


class LongWait:
    """Lets those who read the store see a call that may be repeated, and the actor that made it, while it takes long:
    what is in ``lane`` and rides with the next submission is submitted once nothing was for ``LONG_SECONDS``.

    Entered while the actor may wait; ``done`` hears how each submission went. One timer at most runs, and none when
    nothing is unsent: an actor that makes short calls pays for a look each ``LONG_SECONDS`` and never for a commit.
    An event loop that is ``LATE_SECONDS`` behind with its work gets no more of it, up to ``MOST_DELAYS`` times.
    """

    __slots__ = ("_delays", "_done", "_lane", "_seen", "_timer")

    def __init__(self, lane: LaneWriter, done: Done) -> None:
        self._lane = lane
        self._done = done
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0
        self._delays = 0

    def __enter__(self) -> "LongWait":
        return self

    def __exit__(self, *raised: object) -> None:
        # What an actor does at its end goes into the store with the end or not at all.
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self) -> None:
        """The actor waits from now on."""
        if self._timer is None and self._lane.has_unsent:
            self._seen = self._lane.submitted
            self._delays = 0
            self._arm()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LONG_SECONDS, self._look, loop.time() + LONG_SECONDS)

    def _look(self, due: float) -> None:
        self._timer = None
        if self._lane.submitted != self._seen or not self._lane.has_unsent:
            self.begin()
        elif asyncio.get_running_loop().time() > due + LATE_SECONDS and self._delays < MOST_DELAYS:
            # What ends the call may be there and wait for its turn: a thousand actors would commit all they do twice.
            self._delays += 1
            self._arm()
        else:
            self._lane.submit(self._done)
