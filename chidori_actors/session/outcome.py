"""How a run stands when it is at rest."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..host.function import Question

if TYPE_CHECKING:
    from .forks import ForkPoint

BOUND_EXCEEDED = "BoundExceeded"
"""The name of the error of an actor that used more than it may."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent returned; ``output`` is JSON text."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The agent threw or exceeded a bound.

    ``error`` is ``{message, name?, data?, stack?, location?, source_line?}``, positions in the agent's own files;
    ``own_code`` is true in it when the call failed because code inside of it threw. ``call`` is the ordinal of the
    call whose error it was.
    """

    error: dict[str, Any]
    call: int | None = None

    @property
    def is_own_code(self) -> bool:
        """Whether the agent, or one inside of it, would fail again with the same answers."""
        if "own_code" in self.error:
            return bool(self.error["own_code"])
        return self.call is None and self.error.get("name") != BOUND_EXCEEDED


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing can go on until a person answers; the oldest question comes first."""

    questions: tuple[Question, ...]

    @property
    def status(self) -> Literal["paused", "awaitingapproval"]:
        """The wire contract's word for it."""
        return "awaitingapproval" if self.questions[0].kind == "approval" else "paused"


@dataclass(frozen=True, slots=True)
class RecordEnded:
    """A replay came to the end of the record before the agent ended."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Whoever started the actor ended it."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A replay came to where it was to stop; ``fork`` is where branches begin when that is a call which forks."""

    fork: "ForkPoint | None" = None


Rest = Completed | Failed | Paused | Cancelled | RecordEnded | Reached


def bound_exceeded(message: str) -> Failed:
    """An actor used more than it may; ``message`` says of what."""
    return Failed({"message": message, "name": BOUND_EXCEEDED})
