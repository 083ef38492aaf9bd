"""Stopping a run between its calls: those under way settle and are committed, and nothing new begins."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Drain:
    """One per live run. Each actor enters with the event that wakes it, and is parked while it has nothing to lose: it
    is given no more settlements, and none of its calls does anything but wait for a time or for a person."""

    def __init__(self) -> None:
        self._begun = False
        self._actors: set[asyncio.Event] = set()
        self._parked: set[asyncio.Event] = set()
        self._changed = asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Whether actors are to make no more calls."""
        return self._begun

    @contextmanager
    def actor(self, wake: asyncio.Event) -> Iterator[None]:
        """The actor that ``wake`` wakes lives."""
        self._actors.add(wake)
        try:
            yield
        finally:
            self._actors.discard(wake)
            self._parked.discard(wake)
            self._changed.set()

    def park(self, wake: asyncio.Event, idle: bool) -> None:
        """Whether that actor has nothing to lose now."""
        if idle:
            self._parked.add(wake)
            self._changed.set()
        else:
            self._parked.discard(wake)

    async def drained(self) -> None:
        """Begin, and wait until every actor is parked."""
        self._begun = True
        for wake in self._actors:
            wake.set()
        while not self._is_done():
            self._changed.clear()
            await self._changed.wait()

    def _is_done(self) -> bool:
        # One that was woken has not looked yet at what came.
        return len(self._parked) == len(self._actors) and not any(wake.is_set() for wake in self._parked)
