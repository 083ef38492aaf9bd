"""An actor that lives on another host, as whoever waits for it sees it."""

import asyncio
from collections.abc import Callable

from chidori_actors.host.function import Question
from chidori_actors.session.context import Watcher
from chidori_actors.session.outcome import Rest


class FarActor:
    """Whether it has ended, and whether it rests. ``stop`` has it stopped there; ``watcher`` is who started it."""

    def __init__(self, stop: Callable[[], None], watcher: Watcher) -> None:
        self._stop = stop
        self._watcher = watcher
        # What it was told that may let it go on. Until it has heard all of that, nobody may think that it rests.
        self._woken = 0
        self._ended: asyncio.Future[Rest] = asyncio.get_running_loop().create_future()

    async def wait(self) -> Rest:
        """See ``ActorRef``."""
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            if not self._ended.done():
                self._stop()
                # It must have cleaned up before whoever waits goes on.
                await asyncio.wait([self._ended])
            raise

    def wake_up(self) -> None:
        """It is told something that may let it go on."""
        self._woken += 1
        self._watcher.goes_on()

    def watched(self, heard: int, questions: tuple[Question, ...] | None) -> None:
        """It rests with ``questions``, or goes on (None); ``heard`` is how much of what may let it go on it had been
        told by then."""
        if questions is None:
            self._watcher.goes_on()
        elif heard == self._woken:
            self._watcher.rests(questions)

    def rested(self, rest: Rest) -> None:
        """It has ended."""
        if not self._ended.done():
            self._ended.set_result(rest)

    def broke(self, error: BaseException) -> None:
        """It has ended, or nobody knows of it any more."""
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()

    def stopped(self) -> None:
        """It was stopped, as whoever waits for it wanted."""
        self._ended.cancel()
