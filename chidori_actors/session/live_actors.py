"""How many actors of a run may be alive at once: sub-agents that call themselves twice would take the machine down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..host.function import HostError
from ..journal.store import Write
from .context import RunContext
from .host_calls import LiveCall

MOST_ACTORS = 10_000
"""One takes 0.3 to 1 MB at rest, and three of the 65,530 memory mappings that the kernel gives a process."""


@contextmanager
def room(
    run: RunContext, call: LiveCall, count: int, unused: Callable[[], tuple[Write, ...]] = lambda: ()
) -> Iterator[None]:
    """Room for ``count`` more actors inside of ``call``, for as long as this lasts. One that a crash or a pause
    interrupted had room before, and has it again.

    Raises:
        HostError: there is none; ``unused`` gives the writes that belong to that.
    """
    function = call.started.function
    if run.live_actors + count > MOST_ACTORS and not run.actors.has_any(call.started.seq):
        way_out = "; give a smaller `concurrency`" if function == "parallel" else ""
        raise HostError(
            f"{function}: with {count} more, over {MOST_ACTORS} actors of this run would be alive at once "
            f"(now: {run.live_actors}){way_out}",
            name="RangeError",
            inner={"own_code": True},
            writes=unused(),
        )
    run.live_actors += count
    try:
        yield
    finally:
        run.live_actors -= count
