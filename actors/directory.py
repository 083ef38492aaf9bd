"""Where runs are and where they can go, as a front asks the supervisor: for many at once."""

import asyncio

from .config import Need
from .supervisor_link import SupervisorLink


class ClusterDirectory:
    """For the front of that id."""

    def __init__(self, front: str, supervisor: SupervisorLink) -> None:
        self._front = front
        self._supervisor = supervisor
        self._waiting: dict[Need, list[asyncio.Future[str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def place(self, need: Need) -> str:
        """A host with room for a run; waits while all are full.

        Raises:
            ChidoriError: too many wait, or no node has what is needed.
        """
        place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(need, [])
        if not waiting:
            task = asyncio.create_task(self._place(need))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting.append(place)
        return await place

    async def locate(self, run_id: str) -> str | None:
        """The host that drives the run now; empty while it is between two, None when nobody knows it."""
        host: str | None = await self._supervisor.ask("locate", run_id)
        return host

    async def gone(self, host: str) -> None:
        """Tell that a host seems to be dead."""
        await self._supervisor.ask("gone", host)

    async def _place(self, need: Need) -> None:
        # What else wants a place in this turn of the loop is asked for with it.
        waiting = self._waiting[need]
        await asyncio.sleep(0)
        del self._waiting[need]
        while waiting := [place for place in waiting if not place.done()]:
            try:
                names: list[str] = await self._supervisor.ask("place", self._front, len(waiting), need)
            except Exception as error:
                for place in waiting:
                    if not place.done():
                        place.set_exception(error)
                return
            # One that nobody wants any more is free again after a while.
            for place, name in zip(waiting, names, strict=False):
                if not place.done():
                    place.set_result(name)
            waiting = waiting[len(names) :]
