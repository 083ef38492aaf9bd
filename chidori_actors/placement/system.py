"""Where actors live: the seam between a run and the machines it runs on."""

from collections.abc import Callable, Iterable
from typing import Protocol

from ..journal.store import Write
from ..session.actor import ActorSpec
from ..session.context import RunContext
from ..session.lane_writer import LaneWriter
from ..session.outcome import Rest

Closing = Callable[[Rest], Iterable[Write]]
"""The writes that belong to an actor's end and are committed with it."""


class ActorRef(Protocol):
    """Somebody else's actor: it can be awaited, and nothing else of it is known."""

    async def wait(self) -> Rest:
        """How the actor came to rest. Cancelling the wait stops the actor; its record stays as it is.

        Raises:
            ReplayDivergence: it made other calls than its record has.
            StoreError: its journal cannot be written.
        """
        ...


class ActorSystem(Protocol):
    """Starts actors."""

    def spawn(self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing) -> ActorRef:
        """Start an actor; it runs by itself from here on."""
        ...

    async def close(self) -> None:
        """Stop every actor and free what they shared."""
        ...
