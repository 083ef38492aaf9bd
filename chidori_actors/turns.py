"""Long work on the event loop in slices, so that nothing else has to wait for all of it."""

import asyncio
import time

_SLICE_S = 0.01


class Turns:
    """Counts the time since others had a turn; one for each piece of work."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def over(self) -> None:
        """Let others have their turn when this one has lasted long enough; call it often."""
        if time.perf_counter() - self._since >= _SLICE_S:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
