"""A run on a cluster as the front sees it that attends it: the other end of ``relayed_attendance``."""

import asyncio
from collections.abc import Callable

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.lanes import Settled
from chidori_actors.runtime import RunResult
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef
from chidori_actors.session.live_parts import Part
from chidori_actors.session.outcome import Rest

from .news import (
    Aborting,
    Answered,
    Asked,
    Cancelling,
    Deed,
    Ended,
    News,
    Observed,
    Pausing,
    Posted,
    Published,
    QuestionKey,
    Replied,
    Unasked,
    Withdrawn,
    question_key,
)
from .work import Listening, Work

Act = Callable[[str, Deed], None]
"""Has the host that drives the run do something; what is lost with a host need not be done elsewhere."""


class AttendedRun:
    """Tells a run's attendance what its host says, in order. ``act`` has that host do something with the run;
    ``work`` is what this front had begun, None when another had.

    ``ended`` is done when the run is at rest or cannot go on: the result, or None when somebody stopped it.
    """

    def __init__(
        self, run_id: str, listening: Listening, attendance: Attendance, act: Act, work: Work | None = None
    ) -> None:
        self.run_id = run_id
        self.work = work
        self.listening = listening
        self.ended: asyncio.Future[RunResult | None] = asyncio.get_running_loop().create_future()
        self.late: dict[QuestionKey, str] = {}
        """Answers that were given while the run was already being put to rest."""
        self._attendance = attendance
        self._act = act
        self._held = False
        self._next: ActorRef | None = None
        self._cancelling: Cancelling | None = None
        self._posted: dict[QuestionKey, str | None] = {}
        self._asked: dict[QuestionKey, asyncio.Task[None]] = {}
        self._replies: dict[QuestionKey, str | None] = {}
        self._moved: set[QuestionKey] = set()
        """Questions that were asked of a host that the run has left: what comes of them there comes again here."""

    @property
    def goes_on_alone(self) -> bool:
        """Whether it does not end with this front: another one began it, or what it streams is kept for later."""
        return self.work is None or self.listening.publish

    def hold(self) -> None:
        """A host has accepted the run, which can be cancelled. Idempotent."""
        if not self._held:
            self._held = True
            self._attendance.holding(_Root(self))

    def goes_on_as(self, root: ActorRef) -> None:
        """It came to rest and was brought back: ``root`` is to be cancelled from now on."""
        self._next = root
        if self._cancelling is not None:
            root.cancel(self._cancelling.reason)

    def leaves(self) -> None:
        """Another host is going to drive the run, and asks anew what is open."""
        self._moved = {*self._posted, *self._asked, *self._replies}

    def arrived(self) -> None:
        """Another host drives the run now."""
        if self._cancelling is not None:
            self._act(self.run_id, self._cancelling)

    def cancel(self, reason: str | None) -> None:
        """End the run and everything inside of it."""
        self._cancelling = Cancelling(reason)
        if self._next is None:
            self._act(self.run_id, self._cancelling)
        else:
            self._next.cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        """End a part of the run."""
        if self._next is None:
            self._act(self.run_id, Aborting(part, reason))
        else:
            self._next.abort(part, reason)

    def give_up(self, error: Exception) -> None:
        """It cannot be followed any more."""
        if not self.ended.done():
            self.ended.set_exception(error)

    def close(self) -> None:
        """Ask nobody anything any more."""
        for task in self._asked.values():
            task.cancel()

    def told(self, news: News) -> None:
        """Its host says so."""
        if isinstance(news, Observed):
            getattr(self._attendance.observer, news.method)(*news.args)
        elif isinstance(news, Published):
            if self._attendance.publish is not None:
                self._attendance.publish(news.number, news.event, news.data)
        elif isinstance(news, Posted):
            self._post(news.question)
        elif isinstance(news, Withdrawn):
            self._withdraw(news.question)
        elif isinstance(news, Asked):
            self._ask(news.question)
        elif isinstance(news, Unasked):
            self._unask(news.question)
        elif isinstance(news, Pausing):
            self._pause()
        elif isinstance(news, Ended):
            self._end(news)

    def _end(self, ended: Ended) -> None:
        if self.ended.done():
            return
        if isinstance(ended.result, Exception):
            self.ended.set_exception(ended.result)
        else:
            self.ended.set_result(ended.result)

    # -- the board --------------------------------------------------------------------------------------------------

    def _post(self, question: Question) -> None:
        board, key = self._attendance.board, question_key(question)
        if board is None:
            return
        again = key in self._moved and key in self._posted
        self._moved.discard(key)
        if again:
            given = self._posted[key]
            if given is not None:
                self._act(self.run_id, Answered(key, given))
            return
        self._posted[key] = None

        def answered(text: str) -> None:
            self._posted[key] = text
            self._act(self.run_id, Answered(key, text))

        board.post(question, answered)

    def _withdraw(self, question: Question) -> None:
        self._posted.pop(question_key(question), None)
        if self._attendance.board is not None:
            self._attendance.board.withdraw(question)

    def _pause(self) -> None:
        self.late = {key: text for key, text in self._posted.items() if text is not None}
        # With an answer on its way the run is brought back as soon as it rests: nobody need know.
        if not self.late and self._attendance.board is not None:
            self._attendance.board.pauses()

    # -- questions --------------------------------------------------------------------------------------------------

    def _ask(self, question: Question) -> None:
        key = question_key(question)
        again = key in self._moved
        self._moved.discard(key)
        if again and key in self._replies:
            self._act(self.run_id, Replied(key, self._replies[key]))
        elif not again or key not in self._asked:
            self._asked[key] = asyncio.create_task(self._reply(key, question), name=f"question {self.run_id}")

    async def _reply(self, key: QuestionKey, question: Question) -> None:
        try:
            text: str | None = await self._attendance.questions.ask(question)
        except Unanswered:
            text = None
        except Exception as error:
            self.give_up(error)
            return
        finally:
            self._asked.pop(key, None)
        self._replies[key] = text
        self._act(self.run_id, Replied(key, text))

    def _unask(self, question: Question) -> None:
        key = question_key(question)
        self._replies.pop(key, None)
        task = self._asked.pop(key, None)
        if task is not None:
            task.cancel()


class _Root:
    """The run's root actor, as far as its front may do something with it."""

    def __init__(self, run: AttendedRun) -> None:
        self._run = run

    async def wait(self) -> Rest:
        result = await asyncio.shield(self._run.ended)
        if result is None:
            raise asyncio.CancelledError
        return result.rest

    def cancel(self, reason: str | None = None) -> None:
        self._run.cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        self._run.abort(part, reason)

    async def drained(self) -> None:
        """Returns at once, and stops nothing: the run goes on, calls included, when this front ends."""

    def inherit(self, key: int, settled: Settled | None) -> None:
        """A root has no parent."""
