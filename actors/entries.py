"""What the registry knows of a host and of a run."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .config import Need

if TYPE_CHECKING:
    from .work import Work

HostState = Literal["starting", "up", "draining"]


@dataclass(slots=True)
class HostEntry:
    """A host. ``actors`` is how many it has been given: roots of runs that it drives, of such as are promised to
    whoever placed them, and what runs of all hosts have placed there."""

    name: str
    node: str
    need: Need
    room: int
    state: HostState = "starting"
    actors: int = 0
    runs: set[str] = field(default_factory=set)
    promises: deque[float] = field(default_factory=deque)
    last_placed: int = 0
    empty_since: float | None = None
    cut_off: bool = False
    extra: int = 0
    """Room beyond ``room``, for what runs under way want, until it is empty."""

    @property
    def is_open(self) -> bool:
        """Whether it takes actors, if there is room."""
        return self.state == "up" and not self.cut_off

    def room_for(self, under_way: bool) -> int:
        """How many actors it may have, when a run under way or a new one wants one more."""
        return self.room + self.extra if under_way else self.room


@dataclass(slots=True)
class RunEntry:
    """A run under way. ``host`` is None while it is between two homes."""

    work: "Work"
    host: str | None
