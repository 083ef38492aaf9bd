"""Which hosts are to be started: those that there are from the beginning, and those for which actors wait."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .config import ClusterConfig, Need
from .nodes import Node, fits, spared

ANY = Need()
"""The need of an actor that asks for nothing but room."""


@dataclass(frozen=True, slots=True)
class Start:
    """A host to be started."""

    node: str
    need: Need


@dataclass(frozen=True, slots=True)
class Demand:
    """So many actors with the same need wait, and so many hosts for them are starting."""

    need: Need
    actors: int
    starting: int


@dataclass(frozen=True, slots=True)
class Growth:
    """``nodes`` are those that take hosts."""

    config: ClusterConfig
    nodes: Mapping[str, Node]

    @property
    def ahead(self) -> int:
        """How many hosts there are without any demand."""
        if self.config.hosts is not None:
            return self.config.hosts
        return sum(_cores(self.nodes[node]) for node in self._takers())

    @property
    def most(self) -> int:
        """How many hosts there are at most; those that were started with resources are not counted."""
        return 2 * self.ahead if self.config.max_hosts is None else self.config.max_hosts

    def starts(self, hosts: Iterable[Start], demands: Iterable[Demand]) -> list[Start]:
        """What is to be started beside ``hosts``."""
        taken = list(hosts)
        general = Counter(dict.fromkeys(self._takers(), 0))
        general.update(host.node for host in taken if host.need == ANY and host.node in general)
        found = [Start(node, ANY) for node in self._ahead(general)]
        for demand in demands:
            if demand.need == ANY:
                coming = demand.starting + len(found)
                found += [Start(node, ANY) for node in self._more(general, demand.actors, coming)]
        for demand in demands:
            if demand.need != ANY:
                found += self._special(demand, [*taken, *found])
        return found

    def _ahead(self, general: Counter[str]) -> Iterator[str]:
        """``general`` counts what is there, and is added to. A node that has none, such as a new one, gets one."""
        for node in general:
            at_least = 1 if self.config.hosts is not None else _cores(self.nodes[node])
            while general[node] < at_least and general.total() < self.most:
                general[node] += 1
                yield node
        yield from _spread(general, min(self.ahead, self.most) - general.total())

    def _more(self, general: Counter[str], waiting: int, coming: int) -> Iterator[str]:
        short = math.ceil(waiting / self.config.actors_per_host) - coming
        yield from _spread(general, min(short, self.most - general.total()))

    def _special(self, demand: Demand, taken: list[Start]) -> Iterator[Start]:
        for _ in range(demand.actors - demand.starting):
            used = [(host.node, host.need) for host in taken]
            free = [node for node in self.nodes if fits(demand.need, spared(self.nodes[node], used))]
            if not free:
                return
            hosts = Counter(host.node for host in taken)
            start = Start(min(free, key=lambda node: hosts[node]), demand.need)
            taken.append(start)
            yield start

    def _takers(self) -> list[str]:
        """A node without CPUs is meant to have no hosts, unless all are so."""
        return [node for node in self.nodes if self.nodes[node].cpus >= 1] or list(self.nodes)


def _spread(general: Counter[str], number: int) -> Iterator[str]:
    for _ in range(number if general else 0):
        emptiest = min(general, key=lambda node: general[node])
        general[emptiest] += 1
        yield emptiest


def _cores(node: Node) -> int:
    return max(1, int(node.cpus))
