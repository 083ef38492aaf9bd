"""Beginning much work at once without bringing all of it to a standstill."""

import asyncio

_STEP_S = 0.005
_CALM_S = 0.02
"""Later than this by so much, a timer says that the event loop is busy."""
_LONGEST_S = 0.1


class Pace:
    """Of an event loop. Runs that are brought back need the processor for a while each, and then mostly wait: all at
    once would take turns, and none would go on before the last does."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def step(self) -> None:
        """Return once those that were let go before leave room, or after a moment."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            until = clock() + _LONGEST_S
            late = _CALM_S
            while late >= _CALM_S and clock() < until:
                before = clock()
                await asyncio.sleep(_STEP_S)
                late = clock() - before - _STEP_S
