"""Where the actors of a host's runs go: the supervisor is asked for many at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from .config import Need

Ask = Callable[[int, Need], Awaitable[list[str]]]
GiveBack = Callable[[dict[str, int]], Awaitable[None]]

_GIVE_BACK_S = 0.05
_PAUSE_S = 0.2


class Placements:
    """``ask`` gives the names of the hosts for at most so many actors, for one at least; ``give_back`` says how many
    ended where. Both raise what is ``unreachable`` while the supervisor is."""

    def __init__(self, ask: Ask, give_back: GiveBack, unreachable: tuple[type[BaseException], ...]) -> None:
        self._ask = ask
        self._give_back = give_back
        self._unreachable = unreachable
        self._waiting: dict[Need, list[asyncio.Future[str]]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._ended: Counter[str] = Counter()
        self._telling: asyncio.Task[None] | None = None

    async def take(self, need: Need) -> str:
        """The host on which an actor is to live."""
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
            while waiting:
                hosts = await self._insist(partial(self._ask, len(waiting), need))
                for place, host in zip(waiting, hosts, strict=False):
                    if place.done():  # nobody waits for it any more
                        self.give_back(host)
                    else:
                        place.set_result(host)
                waiting = [place for place in waiting[len(hosts) :] if not place.done()]
        except Exception as error:
            for place in waiting:
                if not place.done():
                    place.set_exception(error)

    async def _tell(self) -> None:
        await asyncio.sleep(_GIVE_BACK_S)
        ended, self._ended, self._telling = dict(self._ended), Counter(), None
        await self._insist(lambda: self._give_back(ended))

    async def _insist(self, ask: Callable[[], Awaitable[list[str] | None]]) -> list[str]:
        while True:
            try:
                return await ask() or []
            except self._unreachable:
                await asyncio.sleep(_PAUSE_S)  # it is being started again
