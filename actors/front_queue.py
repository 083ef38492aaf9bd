"""What a host has to tell one front: numbered, kept until the front has it, and bounded."""

import asyncio
import time
from collections import deque

from .news import Ended, News, Observed, Published, Told

_MOST = 20_000
"""So much is kept for a front that does not fetch it; of what happens in runs, the oldest is dropped then."""
_AT_ONCE = 2_000
_POLL_S = 10.0


class FrontQueue:
    """For the front of one id."""

    def __init__(self) -> None:
        self._waiting: deque[Told] = deque()
        self._news = asyncio.Event()
        self._polls = 0
        self._heard = time.monotonic()

    def tell(self, told: Told) -> None:
        """Keep it for the front. Told in the order of the numbers."""
        self._waiting.append(told)
        if len(self._waiting) > _MOST:
            self._drop()
        self._news.set()

    async def after(self, number: int) -> list[Told]:
        """What is newer than ``number``, which the front has: at once if there is something, at most 10 s later."""
        while self._waiting and self._waiting[0].number <= number:
            self._waiting.popleft()
        self._polls += 1
        try:
            if not self._waiting:
                self._news.clear()
                async with asyncio.timeout(_POLL_S):
                    await self._news.wait()
        except TimeoutError:
            return []
        finally:
            self._polls -= 1
            self._heard = time.monotonic()
        return [self._waiting[place] for place in range(min(len(self._waiting), _AT_ONCE))]

    def silent_for(self, now: float) -> float:
        """For how many seconds the front has not been heard of; ``now`` is ``time.monotonic()``."""
        return 0.0 if self._polls else now - self._heard

    def _drop(self) -> None:
        kept = [told for told in self._waiting if not isinstance(told.news, Observed | Published)]
        if len(kept) > _MOST:
            # Nobody has fetched the ends of so many runs: the store has them too.
            kept = [told for told in kept if not isinstance(told.news, Ended)][-_MOST:]
        self._waiting = deque(kept)


class FrontQueues:
    """Those of all fronts. A front that was not heard of for ``lost_after_s`` is gone."""

    def __init__(self, lost_after_s: float) -> None:
        self._lost_after_s = lost_after_s
        self._queues: dict[str, FrontQueue] = {}
        self._last = 0

    def tell(self, front: str, run_id: str, news: News) -> None:
        """Tell the front, unless it is gone."""
        queue = self._queues.get(front)
        if queue is not None:
            self._last += 1  # of all fronts: one that comes back must not take what is new for what it has
            queue.tell(Told(self._last, run_id, news))

    def hear(self, front: str) -> None:
        """The front is there: it is told from now on."""
        if front not in self._queues:
            self._queues[front] = FrontQueue()

    async def after(self, front: str, number: int) -> list[Told]:
        """What is newer than ``number`` for the front."""
        self.hear(front)
        return await self._queues[front].after(number)

    def drop_silent(self) -> list[str]:
        """Forget the fronts that are gone; which."""
        now = time.monotonic()
        silent = [front for front, queue in self._queues.items() if queue.silent_for(now) > self._lost_after_s]
        for front in silent:
            del self._queues[front]
        return silent
