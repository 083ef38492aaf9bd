"""Ending a part of a run that goes on without it: one call, or one actor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ABORTED = "AbortError"
"""The name of the error that the agent gets for it."""


@dataclass(frozen=True, slots=True)
class Part:
    """The actor at the path ``actor``, which is not the root, or the call with the number ``seq``."""

    actor: str | None = None
    seq: int | None = None


Abort = Callable[[Part, str], None]
"""Ends that part, for that reason, if it is there; what was ended before is left alone."""


class LiveParts:
    """One per live run and host, entered by the actors that live here. ``elsewhere`` are the run's other hosts by their
    names, which its home knows."""

    def __init__(self) -> None:
        self.elsewhere: dict[str, Abort] = {}
        self._actors: set[Abort] = set()

    @contextmanager
    def actor(self, abort: Abort) -> Iterator[None]:
        """The actor that has, or is, those parts lives."""
        self._actors.add(abort)
        try:
            yield
        finally:
            self._actors.remove(abort)

    def abort(self, part: Part, reason: str) -> None:
        """End a part of the run wherever it is: the agent gets an ``AbortError`` with ``reason`` in its place, and what
        is inside of it is recorded as cancelled. Whoever wants it asks again until it has ended: an actor that is being
        moved does not hear it."""
        for abort in [*self._actors, *self.elsewhere.values()]:
            abort(part, reason)
