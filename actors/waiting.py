"""Actors that wait for room, first come first served."""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from .config import Need


@dataclass(frozen=True, slots=True)
class Request:
    """Room for ``count`` actors that somebody waits for."""

    number: int
    client: str
    count: int
    need: Need


class Waiting:
    """A queue for each need, in which runs under way come before new ones."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._queues: tuple[defaultdict[Need, deque[Request]], ...] = (defaultdict(deque), defaultdict(deque))

    def add(self, client: str, number: int, need: Need, *, under_way: bool) -> Request:
        request = Request(next(self._numbers), client, number, need)
        self._queues[0 if under_way else 1][need].append(request)
        return request

    @property
    def new_runs(self) -> int:
        """How many requests for new runs wait."""
        return sum(map(len, self._queues[1].values()))

    def needs(self) -> list[Need]:
        """The needs that somebody waits for."""
        return list(dict.fromkeys(need for queues in self._queues for need, queue in queues.items() if queue))

    def actors(self, need: Need) -> int:
        """How many actors with that need wait."""
        return sum(request.count for queues in self._queues if need in queues for request in queues[need])

    def is_under_way(self, need: Need) -> bool:
        """Whether a run under way waits."""
        return bool(self._queues[0].get(need))

    def in_turn(self, need: Need, *, under_way: bool) -> Iterator[Request]:
        """Each request with that need, of runs under way or of new ones, is taken out as it comes."""
        queues = self._queues[0 if under_way else 1]
        while queues[need]:
            yield queues[need].popleft()
        del queues[need]

    def forget(self, client: str) -> None:
        """The client does not wait any more."""
        for queues in self._queues:
            for need, queue in queues.items():
                queues[need] = deque(request for request in queue if request.client != client)
