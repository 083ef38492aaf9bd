"""Where the actors of a host's runs go: the supervisor is asked for many at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from .config import Need

Ask = Callable[[int, Need], Awaitable[list[str]]]
GiveBack = Callable[[dict[str, int]], Awaitable[None]]

_GIVE_BACK_S = 0.05
_PAUSE_S = 0.2


class Placements:
    """``ask`` gives the names of the hosts for so many actors; ``give_back`` says how many ended where. Both raise while
    the supervisor cannot be reached."""

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
            hosts = await self._insist(lambda: self._ask(len(waiting), need))
        except Exception as error:
            for place in waiting:
                if not place.done():
                    place.set_exception(error)
            return
        for place, host in zip(waiting, hosts, strict=True):
            if place.done():  # nobody waits for it any more
                self.give_back(host)
            else:
                place.set_result(host)

    async def _tell(self) -> None:
        await asyncio.sleep(_GIVE_BACK_S)
        ended, self._ended, self._telling = dict(self._ended), Counter(), None
        try:
            await self._insist(lambda: self._give_back(ended))
        except asyncio.CancelledError:
            raise

    async def _insist(self, ask: Callable[[], Awaitable[list[str] | None]]) -> list[str]:
        while True:
            try:
                return await ask() or []
            except self._unreachable:
                await asyncio.sleep(_PAUSE_S)  # it is being started again
