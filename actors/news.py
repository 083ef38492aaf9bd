"""What hosts tell the fronts that attend their runs, and what fronts want done with these."""

from dataclasses import dataclass, field
from typing import Any

from chidori_actors.host.function import Question
from chidori_actors.run_result import RunResult
from chidori_actors.session.live_parts import Part

QuestionKey = tuple[int, str]
"""A question's seq and kind: a call may be asked about more than once."""


def question_key(question: Question) -> QuestionKey:
    return question.seq, question.kind


@dataclass(frozen=True, slots=True)
class Observed:
    """The run's observer is to be told: the method of that name is to be called so."""

    method: str
    args: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Published:
    """A text event is durable."""

    number: int
    event: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Posted:
    """A question stands open."""

    question: Question


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """It does not stand open any more."""

    question: Question


@dataclass(frozen=True, slots=True)
class Pausing:
    """The run is being put to rest; no answer reaches it before it is brought back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for whoever attends the run, now."""

    question: Question


@dataclass(frozen=True, slots=True)
class Unasked:
    """It has been answered, or nobody waits for the answer any more."""

    question: Question


@dataclass(frozen=True, slots=True)
class Moved:
    """Another host has the run from now on."""

    host: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How the run came to rest, or what kept it from going on; None: it was stopped, and stays resumable."""

    result: RunResult | Exception | None = field(repr=False)


News = Observed | Published | Posted | Withdrawn | Pausing | Asked | Unasked | Moved | Ended


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a front is told. ``number`` ascends."""

    number: int
    run_id: str
    news: News


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a question that stands open."""

    question: QuestionKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replied:
    """The answer of whoever attends the run; None: there is none."""

    question: QuestionKey
    text: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cancelling:
    """The run and everything inside of it is to end."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Aborting:
    """A part of the run is to end, and the run goes on without it."""

    part: Part
    reason: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The run is to be stopped as it is; it can be resumed."""


Deed = Answered | Replied | Cancelling | Aborting | Stopping


@dataclass(frozen=True, slots=True)
class Action:
    """What a front wants done with a run."""

    run_id: str
    deed: Deed
