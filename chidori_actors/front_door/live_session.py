"""A session whose run is under way in this server: it is independent of every connection."""

import asyncio
from collections.abc import Callable

from ..host.function import Question
from ..journal.lanes import Settled, Started
from ..runtime import RunResult
from ..session.attendance import Attendance
from ..session.context import ActorRef
from .metrics import Metrics
from .refusal import Refused


class LiveSession:
    """Board and observer of one run. ``rested`` is done when the run came to rest, with how it ended."""

    def __init__(self, run_id: str, key: str | None, metrics: Metrics) -> None:
        self.id = run_id
        self.key = key
        self.rested: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()
        self.stored = asyncio.Event()
        """Set once the run is in the store."""
        self.cancelling: str | None = None
        self._metrics = metrics
        self._answering: set[int] = set()
        self._continuing = False
        self._open: dict[int, tuple[Question, Callable[[str], None]]] = {}
        self._news = asyncio.Event()
        self._root: ActorRef | None = None

    # -- questions --------------------------------------------------------------------------------------------------

    @property
    def questions(self) -> list[Question]:
        """What is open now, oldest first."""
        return sorted((question for question, _ in self._open.values()), key=lambda question: question.seq)

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self._open[question.seq] = question, answered

    def withdraw(self, question: Question) -> None:
        self._open.pop(question.seq, None)
        self._answering.discard(question.seq)

    def answer(self, seq: int, text: str) -> None:
        """Answer an open question; nobody else can from now on."""
        _, answered = self._open.pop(seq)
        self._answering.add(seq)
        answered(text)

    def continues(self) -> None:
        """The run is being brought back with an answer."""
        self._continuing = True

    @property
    def is_answering(self) -> bool:
        """Whether an answer was accepted that the run was not given yet."""
        return self._continuing or bool(self._answering)

    # -- the end ----------------------------------------------------------------------------------------------------

    def hold(self, root: ActorRef) -> None:
        """The run's root actor is there, and can be cancelled."""
        self._root = root
        if self.cancelling is not None:
            root.cancel(self.cancelling)

    def cancel(self, reason: str) -> None:
        """Cancel the run and everything inside of it.

        Raises:
            Refused: somebody did so before.
        """
        if self.cancelling is not None:
            raise Refused(409, "Session is being cancelled")
        self.cancelling = reason
        if self._root is not None:
            self._root.cancel(reason)

    # -- events -----------------------------------------------------------------------------------------------------

    async def news(self) -> None:
        """Wait until there is something new for the streams, or the run is at rest."""
        await self._news.wait()

    def tell(self) -> None:
        """Something new is in the store."""
        self._news.set()
        self._news = asyncio.Event()

    def published(self, number: int, event: str, data: bytes) -> None:
        self.tell()

    def attendance(self) -> Attendance:
        """How the run is attended: nobody answers at once, everything can be answered later."""
        return Attendance(observer=self, board=self, publish=self.published, holding=self.hold)

    # -- as observer ------------------------------------------------------------------------------------------------

    def run_started(self, run_id: str) -> None:
        self.stored.set()
        self._continuing = False

    def call_started(self, path: str, call: Started) -> None: ...

    def call_waits(self, question: Question) -> None: ...

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        if not replayed:
            self._metrics.call_ended(call, settled)
        self.tell()

    def printed(self, level: str, text: str) -> None: ...

    def warned(self, text: str) -> None: ...

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None: ...

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None: ...

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None: ...
