"""How many actors of a run may be alive at once: sub-agents that call themselves twice would take the machine down."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from ..host.function import HostError
from ..journal.store import Write
from .context import RunContext
from .host_calls import LiveCall

MOST_ACTORS = 10_000
"""One takes 0.3 to 1 MB at rest, and three of the 65,530 memory mappings that the kernel gives a process."""


class NoRoom(Exception):
    """So many actors of the run are alive that no more may be."""

    def __init__(self, alive: int) -> None:
        super().__init__(alive)
        self.alive = alive


class OwnRoom:
    """Implements ``ActorRoom`` where the run is driven: all of its actors are counted here."""

    def __init__(self) -> None:
        self.alive = 1

    @asynccontextmanager
    async def taken(self, count: int, *, had_before: bool) -> AsyncIterator[None]:
        if self.alive + count > MOST_ACTORS and not had_before:
            raise NoRoom(self.alive)
        self.alive += count
        try:
            yield
        finally:
            self.alive -= count


@asynccontextmanager
async def room(
    run: RunContext, call: LiveCall, count: int, unused: Callable[[], tuple[Write, ...]] = lambda: ()
) -> AsyncIterator[None]:
    """Room for ``count`` more actors inside of ``call``, for as long as this lasts. One that a crash or a pause
    interrupted had room before, and has it again.

    Raises:
        HostError: there is none; ``unused`` gives the writes that belong to that.
    """
    function = call.started.function
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(run.room.taken(count, had_before=run.actors.has_any(call.started.seq)))
        except NoRoom as full:
            way_out = "; give a smaller `concurrency`" if function == "parallel" else ""
            raise HostError(
                f"{function}: with {count} more, over {MOST_ACTORS} actors of this run would be alive at once "
                f"(now: {full.alive}){way_out}",
                name="RangeError",
                inner={"own_code": True},
                writes=unused(),
            ) from None
        yield
