"""Requests for room, each answered once there is some."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from .config import Need
from .registry import Registry


class Grants:
    """Of that registry's room; ``more`` is called when hosts are wanted for those who wait."""

    def __init__(self, registry: Registry, more: Callable[[], None]) -> None:
        self._registry = registry
        self._more = more
        self._answers: dict[int, tuple[str, asyncio.Future[list[str]]]] = {}

    async def get(self, client: str, count: int, need: Need) -> list[str]:
        """The hosts for at most ``count`` actors, at least one; waits while there is no room at all.

        Raises:
            ChidoriError: too many wait, or no node has what is needed.
        """
        request = self._registry.ask(client, count, need)
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._answers[request.number] = client, answer
        self.serve()
        if not answer.done() and self._registry.wanted():
            self._more()
        return await answer

    def serve(self) -> None:
        """Give what room there is."""
        now = time.monotonic()
        served = self._registry.serve(now)
        if self._registry.unblock(now):
            served += self._registry.serve(now)
        for request, names in served:
            _, answer = self._answers.pop(request.number)
            if answer.done():  # whoever asked has given up
                self._registry.release(request.client, Counter(names), now)
            else:
                answer.set_result(names)

    def drop(self, client: str) -> None:
        """The client is gone, and with it what it has asked for."""
        for number in [number for number, (asking, _) in self._answers.items() if asking == client]:
            self._answers.pop(number)[1].cancel()
