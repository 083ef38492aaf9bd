"""Who attends a run: watches it and answers its questions."""

from dataclasses import dataclass, field

from ..host.function import Question, Questions, Unanswered
from .observer import Observer, Unobserved


class Nobody:
    """Nobody to ask: every question stays open, and the run pauses on it."""

    async def ask(self, question: Question) -> str:
        raise Unanswered(question)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who watches a run and who answers its questions."""

    observer: Observer = field(default_factory=Unobserved)
    questions: Questions = field(default_factory=Nobody)
