"""The runs that are under way in this server, each of a session that nobody else may change meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ChidoriError
from ..runtime import RunResult
from .live_session import LiveSession
from .metrics import Metrics
from .refusal import Refused
from .refusals import refused
from .run_log import RunLog
from .slots import Slots

Work = Callable[[LiveSession], Awaitable[RunResult]]
_NO_SLOTS = Slots(None, 0)


@dataclass(frozen=True, slots=True)
class Handle:
    """A session, and its run when that is under way."""

    id: str
    session: LiveSession | None


class LiveRuns:
    """Begins runs in slots, and stops those that are left when the server does."""

    def __init__(self, slots: Slots, metrics: Metrics, log: RunLog) -> None:
        self._slots = slots
        self._metrics = metrics
        self._log = log
        self._live: dict[str, LiveSession] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False
        self.changes = 0
        """How often one of them began, asked something, was answered or came to rest."""
        self._news = asyncio.Event()

    def get(self, session_id: str) -> LiveSession | None:
        """The session when its run is under way here."""
        return self._live.get(session_id)

    @property
    def count(self) -> int:
        """How many runs are under way."""
        return len(self._live)

    @property
    def news(self) -> asyncio.Event:
        """Set when there are more ``changes``, or the server stops."""
        return self._news

    def _changed(self) -> None:
        self.changes += 1
        self._news.set()
        self._news = asyncio.Event()

    @property
    def is_closing(self) -> bool:
        """Whether the server is stopping: what is interrupted now goes on when it is started again."""
        return self._is_closing

    async def begin(
        self,
        session_id: str,
        agent: str,
        work: Work,
        *,
        before: Callable[[LiveSession], None] = lambda session: None,
        patiently: bool = False,
        attending: bool = False,
    ) -> Handle:
        """Let ``work`` be done for the session, which nobody else may change until it rests again. ``agent`` is for the
        log.

        ``before`` is done at once, before anybody else sees the session. Returns once its run is under way.
        ``patiently`` waits for a slot, and nobody is there who could be told what went wrong: the log is. A run that is
        under way somewhere else, ``attending``, takes none.

        Raises:
            Refused: somebody else is changing it, there is no slot, or the run could not be begun.
        """
        if session_id in self._live:
            raise Refused(409, "Session is running")
        session = LiveSession(
            session_id,
            self._metrics,
            began=lambda: self._log.began(session_id, agent),
            waits=lambda reason: self._log.waits(session_id, reason),
            changed=self._changed,
        )
        before(session)
        self._live[session_id] = session
        slots = _NO_SLOTS if attending else self._slots
        try:
            await slots.take(patiently=patiently)
            if self._is_closing:
                slots.give_back()
                raise _stopping()
        except BaseException as error:
            del self._live[session_id]
            session.refuse(error)
            raise
        driving = self._drive(session, work, slots, unasked=patiently)
        task = asyncio.create_task(driving, name=f"session {session_id}")
        self._tasks[session_id] = task
        return await self.begun(session_id)

    async def _drive(self, session: LiveSession, work: Work, slots: Slots, *, unasked: bool) -> None:
        began = time.perf_counter()
        try:
            result = await work(session)
        except asyncio.CancelledError:
            if session.stored.is_set():
                self._log.interrupted(session.id)
            session.rested.cancel()
            raise
        except Exception as error:
            # What is refused before it begins is told to the client; there may not be a run of that id.
            if unasked or session.stored.is_set() or not isinstance(error, ChidoriError):
                self._log.failed(session.id, error)
            session.refuse(error)
        else:
            session.rested.set_result(result)
            self._metrics.rested(result.meta.status)
            self._log.rested(result.meta, time.perf_counter() - began)
        finally:
            del self._live[session.id], self._tasks[session.id]
            slots.give_back()
            session.leave()
            self._changed()

    async def begun(self, session_id: str) -> Handle:
        """The session once it is in the store.

        Raises:
            Refused: it never got there.
        """
        session = self._live.get(session_id)
        if session is not None:
            await _either(session.stored.wait(), session.rested)
            if session.rested.done():
                await self.result(session)
        return Handle(session_id, session)

    async def result(self, session: LiveSession) -> RunResult:
        """How the session came to rest; what kept its run from going on is told to the client."""
        try:
            return await asyncio.shield(session.rested)
        except ChidoriError as error:
            raise refused(error) from error
        except asyncio.CancelledError:
            if session.rested.cancelled():
                raise _stopping() from None
            raise

    async def close(self, grace_seconds: float, hurry: asyncio.Event) -> None:
        """Let the calls that are under way settle for so long, or until ``hurry`` is set; nothing new begins.

        Each run is stopped as soon as its calls have settled, and stays resumable.
        """
        self._is_closing = True
        self._changed()
        stopping = [
            asyncio.create_task(self._stop(session, self._tasks[session.id]))
            for session in self._live.values()
            if session.id in self._tasks
        ]
        hurried = asyncio.create_task(hurry.wait())
        waited: list[asyncio.Future[Any]] = [hurried, asyncio.gather(*self._tasks.values(), return_exceptions=True)]
        await asyncio.wait(waited, timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        left: list[asyncio.Task[Any]] = [hurried, *stopping, *self._tasks.values()]
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    async def _stop(self, session: LiveSession, run: asyncio.Task[None]) -> None:
        await session.drained()
        run.cancel()


def _stopping() -> Refused:
    text = "the server is stopping; what it has begun goes on when it is started again"
    return Refused(503, text, headers={"Retry-After": "1"})


async def _either(first: Awaitable[Any], second: asyncio.Future[RunResult]) -> None:
    waiting = asyncio.ensure_future(first)
    try:
        await asyncio.wait([waiting, second], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
