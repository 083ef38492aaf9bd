"""Questions of an actor's calls: asked of whoever attends the run, or put where an answer can find them."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..host.function import Question, Unanswered
from .context import RunContext


class Asker(Protocol):
    """A call that may have to wait for an answer."""

    question: Question | None


class Asking:
    """``calls`` are those being performed, by their paths. ``changed`` is told when one begins or ends to rest."""

    def __init__(self, run: RunContext, changed: Callable[[], None]) -> None:
        self._run = run
        self._changed = changed
        self.calls: dict[str, Asker] = {}

    async def ask(self, question: Question) -> str:
        """The answer, however long it takes.

        Raises:
            Unanswered: nobody is there, and there is no board where the question could wait for somebody.
        """
        try:
            return await self.ask_now(question)
        except Unanswered:
            return await self.wait(question)

    async def ask_now(self, question: Question) -> str:
        """The answer of whoever attends the run.

        Raises:
            Unanswered: nobody is there.
        """
        return await self._run.services.questions.ask(question)

    async def wait(self, question: Question) -> str:
        """The answer of whoever finds the question on the board, or what is decided for another call that needs the
        same approval.

        Raises:
            Unanswered: there is no board.
        """
        board = self._run.board
        if board is None:
            raise Unanswered(question)
        call = self.calls[question.path]
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def answered(text: str) -> None:
            # At once: nobody may think that the run still rests.
            call.question = None
            self._changed()
            if not answer.done():
                answer.set_result(text)

        call.question = question
        board.post(question, answered)
        if question.kind == "approval":
            self._run.approvals.wait(question, answered)
        self._run.observer.call_waits(question)
        self._changed()
        try:
            return await answer
        finally:
            call.question = None
            self._run.approvals.withdraw(question)
            board.withdraw(question)
