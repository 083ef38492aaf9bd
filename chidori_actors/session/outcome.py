"""How a run stands when it is at rest."""

from dataclasses import dataclass
from typing import Any, Literal

from ..host.function import Question


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent returned; ``output`` is JSON text."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """The agent threw or exceeded a bound.

    ``error`` is ``{message, name?, stack?, location?, source_line?}``, positions in the agent's own files; ``call``
    is the ordinal of the call whose error it was.
    """

    error: dict[str, Any]
    call: int | None = None


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


Rest = Completed | Failed | Paused | Cancelled | RecordEnded
