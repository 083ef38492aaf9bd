"""Where actors go: the supervisor is asked for room for many at once, and told of many that ended."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from ray.exceptions import RayError

from chidori_actors.errors import ChidoriError

from .config import Need
from .supervisor_link import SupervisorLink

Ask = Callable[[int, Need], Awaitable[list[str]]]
GiveBack = Callable[[dict[str, int]], Awaitable[None]]

_GIVE_BACK_S = 0.05


class Placements:
    """``ask`` gives the names of the hosts for at most so many actors, for one at least; ``give_back`` says how many
    ended where."""

    def __init__(self, ask: Ask, give_back: GiveBack) -> None:
        self._ask = ask
        self._give_back = give_back
        self._waiting: dict[Need, list[asyncio.Future[str]]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._held: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._telling: asyncio.Task[None] | None = None

    @property
    def held(self) -> Mapping[str, int]:
        """How many actors have room on each host that was not given back. Any thread may ask."""
        return dict(self._held)  # in one step

    async def take(self, need: Need) -> str:
        """The host on which an actor is to live; waits while all are full.

        Raises:
            ChidoriError: no node has what is needed, too many wait, or the supervisor cannot be reached for long.
        """
        place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(need)
        if waiting is not None:
            waiting.append(place)
        else:
            self._waiting[need] = [place]
            task = asyncio.create_task(self._place(need))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.give_back(place.result())
            raise

    def give_back(self, host: str) -> None:
        """An actor that was placed there has ended."""
        self._held[host] -= 1
        if not self._held[host]:
            del self._held[host]
        self._ended[host] += 1
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def aclose(self) -> None:
        """Ask and tell no more."""
        for task in (*self._asking, *([self._telling] if self._telling else [])):
            task.cancel()

    async def _place(self, need: Need) -> None:
        await asyncio.sleep(0)  # what else wants a place in this turn of the loop is asked for with it
        waiting = self._waiting.pop(need)
        try:
            while waiting := [place for place in waiting if not place.done()]:
                hosts = await self._ask(len(waiting), need)
                self._held.update(hosts)
                for place, host in zip(waiting, hosts, strict=False):
                    if place.done():  # nobody waits for it any more
                        self.give_back(host)
                    else:
                        place.set_result(host)
                waiting = waiting[len(hosts) :]
        except Exception as error:
            for place in waiting:
                if not place.done():
                    place.set_exception(error)

    async def _tell(self) -> None:
        await asyncio.sleep(_GIVE_BACK_S)
        ended, self._ended, self._telling = dict(self._ended), Counter(), None
        try:
            await self._give_back(ended)
        except (ChidoriError, RayError):
            return  # the supervisor finds it out, of a host by what it holds and of a front by what it does not use


def placements_of(client: str, supervisor: SupervisorLink) -> Placements:
    """For that host's runs, or for the runs that a front begins."""

    async def ask(count: int, need: Need) -> list[str]:
        names: list[str] = await supervisor.ask("place", client, count, need)
        return names

    async def give_back(host_counts: dict[str, int]) -> None:
        await supervisor.ask("release", client, host_counts)

    return Placements(ask, give_back)
