"""What the actors of one run share."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..host.function import HostFunction, HostServices
from ..journal.approvals import Decision
from ..journal.lanes import Settled
from ..journal.store import Store, Write
from ..languages.bundle import Bundle
from ..policy import Policy
from .drain import Drain
from .lane_writer import LaneWriter
from .live_parts import LiveParts, Part
from .numbers import Numbers
from .observer import Observer
from .outcome import Rest
from .run_actors import RunActors

if TYPE_CHECKING:
    from ..host.function import Question
    from ..host.toolbox import McpServers
    from .actor_spec import ActorSpec

Closing = Callable[[Rest], Iterable[Write]]
"""The writes that belong to an actor's end and are committed with it."""


class ActorRef(Protocol):
    """Somebody else's actor."""

    async def wait(self) -> Rest:
        """How the actor came to rest. Cancelling the wait stops the actor; its record stays as it is.

        Raises:
            ReplayDivergence: it made other calls than its record has.
            StoreError: its journal cannot be written.
        """
        ...

    def cancel(self, reason: str | None = None) -> None:
        """End the actor and everything inside of it, recorded as cancelled; ``wait`` tells when that is done."""
        ...

    def abort(self, part: Part, reason: str) -> None:
        """End a part of the run, see ``LiveParts``."""
        ...

    async def drained(self) -> None:
        """Let no actor of the run make calls any more; returns once none of those under way does anything but wait for
        a time or for a person, and the others are committed. The run is to be stopped then, and goes on later."""
        ...

    def inherit(self, key: int, settled: Settled | None) -> None:
        """A call of the parent, ``key`` in the branch, was settled; None: it never will be."""
        ...


class Watcher(Protocol):
    """Who started an actor: told, at once, whether anything of the actor can still go on by itself."""

    def rests(self, questions: "tuple[Question, ...]") -> None:
        """Everything in the actor waits: for answers to ``questions``, or for what its parent waits for too."""
        ...

    def goes_on(self) -> None: ...


class Board(Protocol):
    """Where open questions stand until somebody answers them, while the run goes on or comes to rest."""

    def post(self, question: "Question", answered: Callable[[str], None]) -> None:
        """``answered`` is to be called with the answer, once, as long as the question stands."""
        ...

    def withdraw(self, question: "Question") -> None: ...

    def pauses(self) -> None:
        """Only answers could let the run go on, and from now on none reaches it before it is brought back."""
        ...


class RunEvents(Protocol):
    """What happens in the run, counted."""

    @property
    def calls(self) -> int:
        """How many calls are in the run's record, or on their way there."""
        ...

    def taken_back(self, calls: int) -> None:
        """So many calls are not in the run's record any more."""
        ...


class RunApprovals(Protocol):
    """What was decided for a target and its args holds for every such call of the run, whichever actor makes it."""

    @property
    def asking(self) -> AbstractAsyncContextManager[None, None]:
        """Held while somebody is asked who answers at once, so that nobody is asked twice for the same."""
        ...

    def known(self, target: str, args: Mapping[str, Any]) -> Decision | None:
        """What was decided about such a call, or None when nobody has."""
        ...

    async def decide(self, question: "Question", answer: str) -> Decision:
        """Keep an answer for good, and give it to the other calls that wait for it."""
        ...

    def wait(self, question: "Question", answered: Callable[[str], None]) -> None:
        """A call stands waiting: ``answered`` is told what is decided for another that needs the same."""
        ...

    def withdraw(self, question: "Question") -> None:
        """It does not any more."""
        ...


class ActorRoom(Protocol):
    """How many of the run's actors may be alive at once, wherever they live."""

    def taken(self, count: int, *, had_before: bool) -> AbstractAsyncContextManager[None]:
        """Room for ``count`` more while it is entered; for those that ``had_before`` there is some in any case.

        Entering raises:
            NoRoom: there is none.
        """
        ...


class Spawn(Protocol):
    """Starts an actor; it runs by itself from there on."""

    def __call__(
        self, spec: "ActorSpec", run: "RunContext", lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef: ...


@dataclass(slots=True)
class RunContext:
    """The run's constants, counters and seams.

    ``bundle`` is the source of the run's agent, with the tools of all its actors; ``root`` is the root of the agent's
    project and ``folder`` the agent's own, as far as they are known here.
    ``attempt`` is one more than the number of times that the failed run was resumed; ``waiting`` are the paths of the
    calls that did nothing but wait for a person when the run last came to rest. ``lane_writer`` gives the writing end
    of the lane of one of the run's actors, and is told how many entries it has. ``in_flight`` is the number of calls
    that do something outside of the process.
    """

    run_id: str
    store: Store
    policy: Policy
    functions: Mapping[str, HostFunction]
    services: HostServices
    observer: Observer
    spawn: Spawn
    actors: RunActors
    bundle: Bundle
    mcp: "McpServers | None"
    root: Path
    folder: Path
    seed: str
    runtime_policy: Mapping[str, str]
    image_every: int
    events: RunEvents
    numbers: Numbers
    lane_writer: Callable[[int, int], LaneWriter]
    approvals: RunApprovals
    room: ActorRoom
    board: Board | None = None
    attempt: int = 1
    waiting: frozenset[str] = field(default_factory=frozenset)
    drain: Drain = field(default_factory=Drain)
    parts: LiveParts = field(default_factory=LiveParts)
    last_ms: int = 0
    in_flight: int = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than before: agents see it as their clock."""
        self.last_ms = max(self.last_ms, int(time.time() * 1000))
        return self.last_ms
