"""Who attends a run: watches it and answers its questions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..host.function import Question, Questions, Unanswered
from .context import ActorRef, Board
from .event_log import Publish
from .observer import Observer, Unobserved


class Nobody:
    """Nobody to ask: every question stays open, and the run pauses on it."""

    async def ask(self, question: Question) -> str:
        raise Unanswered(question)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who watches a run and who answers its questions.

    ``board`` is where a question stands that ``questions`` do not answer; ``publish`` is told what prompts stream, and
    then that is kept for later; ``holding`` is given the run's root actor, which can be cancelled.
    """

    observer: Observer = field(default_factory=Unobserved)
    questions: Questions = field(default_factory=Nobody)
    board: Board | None = None
    publish: Publish | None = None
    holding: Callable[[ActorRef], None] = lambda root: None
