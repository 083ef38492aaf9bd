"""A run's attendance on the host that drives it: what is told goes to the fronts that attend, answers come back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import orjson

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.lanes import Settled, Started
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef

from .front_queue import FrontQueues
from .news import (
    Aborting,
    Answered,
    Asked,
    Cancelling,
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
from .work import Listening

_NO_ARGS = b"{}"
_SOMETHING = b"null"


class RelayedAttendance:
    """Observer, questions and board of one run. ``first`` is how the front attends that had the run begun; more may
    join it."""

    def __init__(self, run_id: str, first: Listening, queues: FrontQueues) -> None:
        self._run_id = run_id
        self._first = first
        self._queues = queues
        self._fronts = {first.front: first}
        self._started = False
        self._pausing = False
        self._silent = False
        self._root: asyncio.Future[ActorRef] = asyncio.get_running_loop().create_future()
        self._cancelling: Cancelling | None = None
        self._posted: dict[QuestionKey, tuple[Question, Callable[[str], None]]] = {}
        self._asked: dict[QuestionKey, _Asking] = {}
        queues.hear(first.front)

    def attendance(self) -> Attendance:
        """For the runtime that drives the run."""
        return Attendance(
            observer=self,
            questions=self,
            board=self if self._first.board else None,
            publish=self._published if self._first.publish else None,
            holding=self._hold,
        )

    async def drained(self) -> None:
        """Let the run make no more calls; returns once those under way have settled."""
        await (await asyncio.shield(self._root)).drained()

    # -- fronts -----------------------------------------------------------------------------------------------------

    def join(self, listening: Listening) -> None:
        """Another front attends the run too, or one whose run has come here: what is open is told it anew."""
        front = listening.front
        self._queues.hear(front)
        self._fronts[front] = listening
        if self._started:
            self._tell_one(front, Observed("run_started", (self._run_id,)))
        for question, _ in self._posted.values():
            self._tell_one(front, Posted(question))
        for asking in self._asked.values():
            if listening.questions:
                asking.fronts.add(front)
                self._tell_one(front, Asked(asking.question))
        if self._pausing:
            self._tell_one(front, Pausing())

    def leave(self, fronts: list[str]) -> None:
        """These fronts are gone."""
        for front in fronts:
            self._fronts.pop(front, None)
            for asking in list(self._asked.values()):
                asking.decline(front)

    def tell(self, news: News) -> None:
        """Tell every front."""
        for front in self._fronts:
            self._queues.tell(front, self._run_id, news)

    def silence(self) -> None:
        """The run goes elsewhere: what happens to it here in the meantime is nobody's concern, so that its questions
        look open all along."""
        self._silent = True

    def _tell_all(self, news: News) -> None:
        for front in self._fronts:
            self._tell_one(front, news)

    def _tell_one(self, front: str, news: News) -> None:
        if not self._silent:
            self._queues.tell(front, self._run_id, news)

    def act(self, front: str, deed: Answered | Replied | Cancelling | Aborting) -> None:
        """Do what a front wants; what was overtaken by something else is nothing any more."""
        if isinstance(deed, Cancelling):
            if self._cancelling is None:
                self._cancelling = deed
                if self._root.done():
                    self._root.result().cancel(deed.reason)
        elif isinstance(deed, Aborting):
            if self._root.done():
                self._root.result().abort(deed.part, deed.reason)
        elif isinstance(deed, Answered):
            if not self._pausing and deed.question in self._posted:
                self._posted.pop(deed.question)[1](deed.text)
        elif (asking := self._asked.get(deed.question)) is not None:
            asking.reply(front, deed.text)

    def _hold(self, root: ActorRef) -> None:
        if self._root.done():  # the same work was begun anew
            self._root = asyncio.get_running_loop().create_future()
        self._root.set_result(root)
        if self._cancelling is not None:
            root.cancel(self._cancelling.reason)

    # -- board ------------------------------------------------------------------------------------------------------

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self._posted[question_key(question)] = question, answered
        self._tell_all(Posted(question))

    def withdraw(self, question: Question) -> None:
        self._posted.pop(question_key(question), None)
        self._tell_all(Withdrawn(question))

    def pauses(self) -> None:
        self._pausing = True
        self._tell_all(Pausing())

    # -- questions --------------------------------------------------------------------------------------------------

    async def ask(self, question: Question) -> str:
        """The first answer of a front.

        Raises:
            Unanswered: there is no front that could be asked, or none has an answer.
        """
        fronts = {front for front, listening in self._fronts.items() if listening.questions}
        if not fronts:
            raise Unanswered(question)
        asking = self._asked[question_key(question)] = _Asking(question, fronts)
        for front in fronts:
            self._tell_one(front, Asked(question))
        try:
            text = await asking.answer
        finally:
            self._asked.pop(question_key(question), None)
            for front in fronts:
                self._tell_one(front, Unasked(question))
        if text is None:
            raise Unanswered(question)
        return text

    # -- events -----------------------------------------------------------------------------------------------------

    def _published(self, number: int, event: str, data: bytes) -> None:
        for front, listening in self._fronts.items():
            if listening.publish:
                self._tell_one(front, Published(number, event, data))

    # -- observer ---------------------------------------------------------------------------------------------------

    def run_started(self, run_id: str) -> None:
        self._started = True
        self._tell_all(Observed("run_started", (run_id,)))

    def call_started(self, path: str, call: Started) -> None:
        self._observed("call_started", path, call)

    def call_waits(self, question: Question) -> None:
        self._observed("call_waits", question)

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        counted: Observed | None = None
        for front, listening in self._fronts.items():
            if listening.wants == "everything":
                self._tell_one(front, Observed("call_ended", (path, call, settled, replayed)))
            elif listening.wants == "ends":
                counted = counted or Observed("call_ended", (path, *_counted(call, settled), replayed))
                self._tell_one(front, counted)

    def printed(self, level: str, text: str) -> None:
        self._observed("printed", level, text)

    def warned(self, text: str) -> None:
        self._observed("warned", text)

    def noted(self, text: str) -> None:
        for front, listening in self._fronts.items():
            if listening.wants != "nothing":
                self._tell_one(front, Observed("noted", (text,)))

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self._observed("prompt_start", stream_id, seq, prompt_type, model)

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        self._observed("prompt_delta", stream_id, seq, prompt_type, delta)

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self._observed("prompt_end", stream_id, seq, prompt_type, error)

    def _observed(self, method: str, *args: object) -> None:
        for front, listening in self._fronts.items():
            if listening.wants == "everything":
                self._tell_one(front, Observed(method, args))


class _Asking:
    """A question that fronts were asked: the first answer counts; without one, that the last of them has none."""

    def __init__(self, question: Question, fronts: set[str]) -> None:
        self.question = question
        self.fronts = set(fronts)
        self.answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def reply(self, front: str, text: str | None) -> None:
        if text is None:
            self.decline(front)
        elif not self.answer.done():
            self.answer.set_result(text)

    def decline(self, front: str) -> None:
        self.fronts.discard(front)
        if not self.fronts and not self.answer.done():
            self.answer.set_result(None)


def _counted(call: Started, settled: Settled) -> tuple[Started, Settled]:
    """What is counted of a call that ended: its values can be large, and the store has them."""
    args = _NO_ARGS
    if call.function == "prompt":
        args = orjson.dumps({"model": orjson.loads(call.args).get("model")})
    error = None if settled.error is None else {"message": ""}
    value = None if settled.value is None else _SOMETHING
    return replace(call, args=args, site=None), replace(settled, value=value, error=error)
