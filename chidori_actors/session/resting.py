"""Whether anything of an actor can still go on by itself, and what that means when nothing can."""

from collections.abc import Mapping

from ..host.function import Question
from .context import Board, Watcher
from .host_calls import LiveCall
from .inheritance import Inheritance
from .outcome import Failed, Paused


class Resting:
    """Of the actor with the host-promise table ``table``. ``watcher`` is who started it, and keeps it alive while it
    rests; an actor without one, the root, pauses."""

    def __init__(
        self, table: Mapping[int, LiveCall], inheritance: Inheritance, watcher: Watcher | None, board: Board | None
    ) -> None:
        self._table = table
        self._inheritance = inheritance
        self._watcher = watcher
        self._board = board
        # Whether the watcher believes it at rest.
        self._told = False

    @property
    def is_quiet(self) -> bool:
        """Whether none of its calls goes on."""
        return all(call.resting for call in self._table.values())

    def rest(self) -> Paused | Failed | None:
        """Nothing goes on: how the actor ends, or None when it only waits and who started it was told."""
        stuck = not self._table and not self._inheritance.is_open
        if self._watcher is not None and not stuck:
            self._told = True
            self._watcher.rests(self._questions())
            return None
        if self._watcher is None and self._board is not None:
            self._board.pauses()
        return self.end()

    def goes_on(self) -> None:
        """Something does go on."""
        if self._told and self._watcher is not None:
            self._told = False
            self._watcher.goes_on()

    def changed(self) -> None:
        """A call began to rest, or does not rest any more."""
        if not self.is_quiet:
            self.goes_on()

    def end(self) -> Paused | Failed:
        """What it is for an actor that nothing will ever go on in it, unless somebody answers."""
        questions = self._questions()
        if questions:
            return Paused(questions)
        return Failed({"message": self._inheritance.explain_stuck(), "name": "Error"})

    def _questions(self) -> tuple[Question, ...]:
        """What its calls wait for, the oldest first."""
        questions = [question for call in self._table.values() for question in call.questions]
        return tuple(sorted(questions, key=lambda question: question.seq))
