"""What running an agent comes to."""

from dataclasses import dataclass

from .journal.runs import RunMeta
from .session.outcome import Rest


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run stands: what the store knows of it now, and the rest it came to."""

    meta: RunMeta
    rest: Rest
