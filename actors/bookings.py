"""Who has placed how many actors on which host: what hosts ask for, give back, and say that they have."""

from collections import Counter, defaultdict
from collections.abc import Mapping

CERTAIN_S = 15.0
"""What a host says that it has may be older than what it was given or gave back last; a difference that all of its
words show for so long is none of that."""


class Bookings:
    """Of actors that belong to runs of hosts; ``client`` is the host whose run has placed them.

    A call to the supervisor may be made twice, or not arrive: then the two differ until ``compare`` finds it.
    """

    def __init__(self) -> None:
        self._placed: dict[str, Counter[str]] = defaultdict(Counter)
        self._doubts: dict[str, dict[str, tuple[float, int]]] = {}
        """By client and host: since when they differ, and the least by which they did."""

    def add(self, client: str, counts: Mapping[str, int]) -> None:
        """It has so many more on each host."""
        self._placed[client].update(counts)

    def give_back(self, client: str, host: str, number: int) -> int:
        """It has so many fewer there; how many, as it cannot give back more than it has."""
        if client not in self._placed:
            return 0
        return -self._change(client, host, -min(number, self._placed[client][host]))

    def end(self, client: str) -> Mapping[str, int]:
        """It is gone; what it had."""
        self._doubts.pop(client, None)
        return self._placed.pop(client, Counter())

    def forget_host(self, host: str) -> None:
        """What was there is nowhere."""
        for placed in self._placed.values():
            placed.pop(host, None)

    def compare(self, client: str, held: Mapping[str, int], now: float) -> dict[str, int]:
        """The client says how many it has on each host. By how much the bookings of which were wrong, which they are
        no more."""
        placed = self._placed[client]
        doubts, self._doubts[client] = self._doubts.get(client, {}), {}
        wrong: dict[str, int] = {}
        for host in placed.keys() | held.keys():
            off = held.get(host, 0) - placed[host]
            since, least = doubts.get(host, (now, off))
            if off * least <= 0:
                since, least = now, off
            least = min(off, least, key=abs)
            if least and now - since >= CERTAIN_S:
                wrong[host] = self._change(client, host, least)
            elif least:
                self._doubts[client][host] = since, least
        return wrong

    def _change(self, client: str, host: str, number: int) -> int:
        placed = self._placed[client]
        placed[host] += number
        if not placed[host]:
            del placed[host]
        return number
