"""Where runs are and where they can go, as a front asks the supervisor."""

from .config import Need
from .placements import placements_of
from .supervisor_link import SupervisorLink


class ClusterDirectory:
    """For the front of that id."""

    def __init__(self, front: str, supervisor: SupervisorLink) -> None:
        self._supervisor = supervisor
        self._placements = placements_of(front, supervisor)

    async def place(self, need: Need) -> str:
        """A host with room for a run; waits while all are full.

        Raises:
            ChidoriError: too many wait, or no node has what is needed.
        """
        return await self._placements.take(need)

    async def aclose(self) -> None:
        """Ask for no more places."""
        await self._placements.aclose()

    async def locate(self, run_id: str) -> str | None:
        """The host that drives the run now; empty while it is between two, None when nobody knows it."""
        host: str | None = await self._supervisor.ask("locate", run_id)
        return host

    async def gone(self, host: str) -> None:
        """Tell that a host seems to be dead."""
        await self._supervisor.ask("gone", host)
