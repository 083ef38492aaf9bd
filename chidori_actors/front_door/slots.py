"""How many sessions may be under way at once."""

import asyncio

from .refusal import Refused


class Slots:
    """``limit`` None: as many as there are. A request that gets no slot within ``timeout_ms`` is refused."""

    def __init__(self, limit: int | None, timeout_ms: int) -> None:
        self._free = None if limit is None else asyncio.Semaphore(limit)
        self._timeout_ms = timeout_ms

    async def take(self, *, patiently: bool = False) -> None:
        """Wait for a slot; ``patiently`` as long as it takes.

        Raises:
            Refused: there was none in time.
        """
        if self._free is None:
            return
        if patiently:
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await self._free.acquire()
        except TimeoutError:
            raise Refused(
                503,
                "server busy; try again later",
                headers={"Retry-After": "1"},
                acquire_timeout_ms=self._timeout_ms,
            ) from None

    def give_back(self) -> None:
        if self._free is not None:
            self._free.release()
