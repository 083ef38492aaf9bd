"""A session whose run is under way in this server: it is independent of every connection."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from ..answers import OpenQuestion, Prepared
from ..host.function import Question
from ..journal.lanes import Settled, Started
from ..runtime import RunResult
from ..session.attendance import Attendance, Nobody
from ..session.context import ActorRef
from ..session.live_parts import Part
from .metrics import Metrics
from .refusal import Refused

_STIR_SECONDS = 0.1
"""What happens within so many seconds is told at once to those who look at the calls."""


class LiveSession:
    """Board, observer and questions of one run. ``rested`` is done when it came to rest, with how it ended.

    ``began`` is told when it begins or goes on, ``waits`` why something in it takes long, ``changed`` that it began, or
    that its open questions are others.
    """

    def __init__(
        self,
        run_id: str,
        metrics: Metrics,
        began: Callable[[], None],
        waits: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.id = run_id
        self.rested: asyncio.Future[RunResult] = asyncio.get_running_loop().create_future()
        self.stored = asyncio.Event()
        """Set once the run is in the store."""
        self.cancelling: str | None = None
        self.is_pausing = False
        """Nothing of the run can go on by itself: it is being put to rest, and no answer reaches it before."""
        self._metrics = metrics
        self._began = began
        self._waits = waits
        self._changed = changed
        self._answering: set[int] = set()
        self._continuing = False
        self._open: dict[int, tuple[Question, Callable[[str], None]]] = {}
        # What the run is going to ask again, having been brought back, and the answers to that which are there.
        self._returning: dict[int, OpenQuestion] = {}
        self._given: dict[tuple[int, str], str] = {}
        self._news = asyncio.Event()
        self._stirring = asyncio.Event()
        self._stirred: asyncio.TimerHandle | None = None
        self._under_way: dict[str, Started] = {}
        self._root: asyncio.Future[ActorRef] = asyncio.get_running_loop().create_future()

    # -- questions --------------------------------------------------------------------------------------------------

    @property
    def questions(self) -> list[OpenQuestion]:
        """What is open now, oldest first."""
        asked: dict[int, OpenQuestion] = {seq: asdict(question) for seq, (question, _) in self._open.items()}
        return [question for _, question in sorted({**self._returning, **asked}.items())]

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self._open[question.seq] = question, answered
        self._answering.discard(question.seq)
        self._stir()
        self._changed()

    def withdraw(self, question: Question) -> None:
        self._open.pop(question.seq, None)
        self._changed()
        if question.kind != "input":
            self._answering.discard(question.seq)

    def pauses(self) -> None:
        self.is_pausing = True

    def answer(self, seq: int, kind: str, text: str) -> None:
        """Answer an open question; nobody else can from now on."""
        self._answering.add(seq)
        if seq in self._open:
            _, answered = self._open.pop(seq)
            self._stir()
            answered(text)
        else:
            del self._returning[seq]
            self._given[seq, kind] = text
        self._changed()

    def continues(self, pending: Sequence[OpenQuestion], answers: Mapping[tuple[int, str], str]) -> None:
        """The run is being brought back with these answers; it is going to ask the questions ``pending`` again."""
        self._continuing = True
        self._returning = {question["seq"]: question for question in pending}
        for (seq, kind), text in answers.items():
            self._returning.pop(seq, None)
            self._answering.add(seq)
            self._given[seq, kind] = text

    async def ask(self, question: Question) -> str:
        """The answer that came before the question was asked again.

        Raises:
            Unanswered: there is none.
        """
        self._returning.pop(question.seq, None)
        text = await Prepared(self._given, Nobody()).ask(question)
        if question.kind != "input":
            self._answering.discard(question.seq)
        return text

    @property
    def is_answering(self) -> bool:
        """Whether an answer was accepted that the run did not act on yet: to an ``input()`` until it is recorded."""
        return self._continuing or bool(self._answering)

    # -- the end ----------------------------------------------------------------------------------------------------

    def hold(self, root: ActorRef) -> None:
        """The run's root actor is there, and can be cancelled."""
        self._root.set_result(root)
        if self.cancelling is not None:
            root.cancel(self.cancelling)

    async def drained(self) -> None:
        """Let its run make no more calls; returns once those under way have settled."""
        await (await asyncio.shield(self._root)).drained()

    def cancel(self, reason: str) -> None:
        """Cancel the run and everything inside of it.

        Raises:
            Refused: somebody did so before.
        """
        if self.cancelling is not None:
            raise Refused(409, "Session is being cancelled")
        self.cancelling = reason
        if self._root.done():
            self._root.result().cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        """End a part of the run, if it is there; see ``LiveParts``."""
        if self._root.done():
            self._root.result().abort(part, reason)

    def refuse(self, error: BaseException) -> None:
        """The run could not be begun or continued; it is in the store as it was."""
        if isinstance(error, asyncio.CancelledError):
            self.rested.cancel()
        else:
            self.rested.set_exception(error)
            # Whoever waits hears of it, and nobody need wait.
            self.rested.exception()
        self.tell()

    # -- events -----------------------------------------------------------------------------------------------------

    @property
    def news(self) -> asyncio.Event:
        """Set when there is something newer for the streams than there is now, or the run is at rest."""
        return self._news

    def tell(self) -> None:
        """Something new is in the store."""
        self._news.set()
        self._news = asyncio.Event()

    def leave(self) -> None:
        """The run is not under way here any more."""
        self.tell()
        self._tell_stirring()

    @property
    def stirring(self) -> asyncio.Event:
        """Set a moment after a call began, waits or ended, or a question was answered; then there is another one."""
        return self._stirring

    @property
    def under_way(self) -> Mapping[str, Started]:
        """The calls that have begun and not ended, by their paths."""
        return self._under_way

    def _stir(self) -> None:
        if self._stirred is None:
            self._stirred = asyncio.get_running_loop().call_later(_STIR_SECONDS, self._tell_stirring)

    def _tell_stirring(self) -> None:
        if self._stirred is not None:
            self._stirred.cancel()
            self._stirred = None
        self._stirring.set()
        self._stirring = asyncio.Event()

    def published(self, number: int, event: str, data: bytes) -> None:
        self.tell()

    def attendance(self) -> Attendance:
        """How the run is attended: nobody answers at once, everything can be answered later."""
        return Attendance(observer=self, questions=self, board=self, publish=self.published, holding=self.hold)

    # -- as observer ------------------------------------------------------------------------------------------------

    def run_started(self, run_id: str) -> None:
        self.stored.set()
        self._continuing = False
        self._changed()
        self._began()

    def call_started(self, path: str, call: Started) -> None:
        self._under_way[path] = call
        self._stir()

    def call_waits(self, question: Question) -> None:
        self._stir()

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        self._answering.discard(call.seq)
        self._under_way.pop(path, None)
        if not replayed:
            self._metrics.call_ended(call, settled)
        self.tell()
        self._stir()

    def printed(self, level: str, text: str) -> None: ...

    def warned(self, text: str) -> None: ...

    def noted(self, text: str) -> None:
        self._waits(text)

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None: ...

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None: ...

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None: ...
