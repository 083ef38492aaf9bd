"""Where actors live: the seam between a run and the machines it runs on."""

from typing import Protocol

from ..session.actor_spec import ActorSpec
from ..session.context import ActorRef, Closing, RunContext, Watcher
from ..session.lane_writer import LaneWriter


class ActorSystem(Protocol):
    """Starts actors."""

    def spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        """Start an actor; it runs by itself from here on. ``watcher`` is told whether it rests."""
        ...

    @property
    def live_vms(self) -> int:
        """How many actors there are now, each with a VM."""
        ...

    async def close(self) -> None:
        """Stop every actor and free what they shared."""
        ...
