"""Who is where: nodes, hosts, the runs they drive, and which host takes the next actor.

Decisions only: nothing here waits, reads a clock or knows Ray. The supervisor tells what happened and does what comes
back.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from chidori_actors.errors import ChidoriError

from .bookings import Bookings
from .config import ClusterConfig, Need
from .entries import HostEntry, RunEntry
from .growth import ANY, Demand, Growth, Start
from .nodes import Node, fits, missing, named_node
from .waiting import Request, Waiting

if TYPE_CHECKING:
    from .work import Work

MOST_WAITING = 10_000
"""So many requests for room wait at most; runs under way are not counted."""
STUCK_S = 3.0
"""When nothing became free for so long, a run under way is given more room than there is."""
PROMISE_S = 30.0
"""A front that was given room and does not use it for so long has died."""
IDLE_S = 60.0
"""Hosts beyond those that are started ahead end when they have been empty for so long."""

SUPERVISOR = ""
"""The supervisor as a client: it places runs anew."""


class Registry:
    """The state of a cluster, and what follows from it."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._numbers = count(1)
        self._moved_at = 0.0
        """When room became free last, or was given beyond what there is."""
        self._bookings = Bookings()
        self._waiting = Waiting()
        self.nodes: dict[str, Node] = {}
        self.draining: set[str] = set()
        self.hosts: dict[str, HostEntry] = {}
        self.runs: dict[str, RunEntry] = {}

    # Nodes

    def see_nodes(self, alive: Iterable[Node]) -> list[str]:
        """These nodes are there now and no others; the hosts whose node is gone."""
        self.nodes = {node.id: node for node in alive}
        self.draining &= self.nodes.keys()
        return [host.name for host in self.hosts.values() if host.node not in self.nodes]

    def drain(self, node: str) -> list[HostEntry]:
        """Nothing is placed on the node any more; its hosts."""
        self.draining.add(node)
        hosts = [host for host in self.hosts.values() if host.node == node]
        for host in hosts:
            host.state = "draining"
        return hosts

    @property
    def leaving(self) -> list[str]:
        """The hosts on nodes that are being drained."""
        return [host.name for host in self.hosts.values() if host.node in self.draining]

    def find_node(self, name: str) -> Node:
        """The node whose id begins with ``name``, or whose address or host name it is.

        Raises:
            UsageError: there is none, or more than one.
        """
        return named_node(self.nodes.values(), name)

    # Hosts

    def starting(self, name: str, start: Start) -> None:
        room = self._config.actors_per_host if start.need == ANY else 1
        self.hosts[name] = HostEntry(name, start.node, start.need, room)

    def up(self, name: str, now: float) -> None:
        """The host takes actors from now on."""
        host = self.hosts.get(name)
        if host is not None and host.state == "starting":
            host.state = "draining" if host.node in self.draining else "up"
            host.empty_since = now

    def lose(self, name: str, now: float) -> list[str]:
        """The host is no more: what it asked for is given free, its runs have no home; these."""
        host = self.hosts.pop(name, None)
        if host is None:
            return []
        self._waiting.forget(name)
        for other, number in self._bookings.end(name).items():
            self._unbook(other, number, now)
        self._bookings.forget_host(name)
        for run_id in host.runs:
            self.runs[run_id].host = None
        return sorted(host.runs)

    def observe(self, name: str, placed: Mapping[str, int], now: float, *, journal_reachable: bool = True) -> None:
        """The host says how many actors its runs have on each host. One that cannot reach the journal takes nothing."""
        host = self.hosts.get(name)
        if host is None:
            return
        host.cut_off = not journal_reachable
        known = {other: number for other, number in placed.items() if other in self.hosts}
        for other, number in self._bookings.compare(name, known, now).items():
            if number < 0:
                self._unbook(other, -number, now)
            else:
                self._book(self.hosts[other], number)

    def adopt(self, name: str, start: Start, works: Sequence["Work"], now: float) -> None:
        """A host that another supervisor started, with what it drives."""
        self.starting(name, start)
        self.up(name, now)
        for work in works:
            self.drives(name, work, now)

    def adopt_placed(self, name: str, placed: Mapping[str, int], now: float) -> None:
        """What the runs of such a host have placed, whatever was found meanwhile; all hosts are adopted by now."""
        for other, number in self._bookings.end(name).items():
            self._unbook(other, number, now)
        known = {other: number for other, number in placed.items() if other in self.hosts}
        self._bookings.add(name, known)
        for other, number in known.items():
            self._book(self.hosts[other], number)

    def idle(self, now: float) -> list[str]:
        """Hosts beyond those that are started ahead which have been empty for long; they take nothing any more.

        While somebody waits for a host with resources of its own, empty ones give theirs back at once.
        """
        surplus = len(self._live(ANY)) - self._growth().ahead
        contended = any(need != ANY for need in self._waiting.needs())
        ended: list[str] = []
        for host in self.hosts.values():
            if host.state != "up" or host.actors or host.empty_since is None:
                continue
            patience = 0.0 if contended and host.need != ANY else IDLE_S
            if now - host.empty_since < patience:
                continue
            if host.need == ANY:
                surplus -= 1
                if surplus < 0:
                    continue
            host.state = "draining"
            ended.append(host.name)
        return ended

    def wanted(self) -> list[Start]:
        """The hosts that must be started now."""
        live = [Start(host.node, host.need) for host in self.hosts.values() if host.state != "draining"]
        starting = Counter(host.need for host in self.hosts.values() if host.state == "starting")
        demands = [Demand(need, self._waiting.actors(need), starting[need]) for need in self._waiting.needs()]
        return self._growth().starts(live, demands)

    def _growth(self) -> Growth:
        return Growth(self._config, {node.id: node for node in self._open_nodes()})

    def _open_nodes(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.id not in self.draining]

    def _live(self, need: Need) -> list[HostEntry]:
        return [host for host in self.hosts.values() if host.need == need and host.state != "draining"]

    # Runs

    def drives(self, name: str, work: "Work", now: float) -> None:
        """The host is the run's home; its root actor takes the room that was promised to whoever placed it."""
        host = self.hosts.get(name)
        if host is None:
            return
        run = self.runs.get(work.run_id)
        if run is not None and run.host == name:
            run.work = work
            return
        if run is not None and run.host is not None:
            self.rests(run.host, work.run_id, now)
        self.runs[work.run_id] = RunEntry(work, name)
        host.runs.add(work.run_id)
        if host.promises:
            host.promises.popleft()
        else:
            self._book(host, 1)

    def rests(self, name: str, run_id: str, now: float) -> bool:
        """The host drives the run no more, and its root's room is free. False when it was not its home."""
        run = self.runs.get(run_id)
        if run is None or run.host != name:
            return False
        del self.runs[run_id]
        self.hosts[name].runs.discard(run_id)
        self._unbook(name, 1, now)
        return True

    # Room

    def ask(self, client: str, number: int, need: Need) -> Request:
        """Wait for room for at most ``number`` actors; ``serve`` says when there is some.

        What runs under way ask for comes before new runs, so that a full cluster finishes what it has begun.

        Raises:
            ChidoriError: too many wait already, or no node has what is needed.
        """
        if number < 1:
            raise ValueError(f"room for {number} actors")
        nodes = self._open_nodes()
        if need != ANY and not any(fits(need, node.resources) for node in nodes):
            raise missing(need, nodes)
        under_way = client == SUPERVISOR or client in self.hosts
        if not under_way and self._waiting.new_runs >= MOST_WAITING:
            raise self._full()
        return self._waiting.add(client, number, need, under_way=under_way)

    def serve(self, now: float) -> list[tuple[Request, list[str]]]:
        """Give what room there is to those who have waited longest, each as much as there is: the hosts for each."""
        served: list[tuple[Request, list[str]]] = []
        for need in self._waiting.needs():
            for under_way in (True, False):
                candidates = self._candidates(need, under_way=under_way)
                if not candidates:
                    continue
                for request in self._waiting.in_turn(need, under_way=under_way):
                    names = self._take(candidates, request.count, under_way=under_way)
                    self._charge(request.client, names, now)
                    served.append((request, names))
                    if not candidates:
                        break
        return served

    def unblock(self, now: float) -> bool:
        """Give hosts more room for runs under way than they have, when some wait and nothing becomes free; whether that
        changed anything.

        Those that have the room may be waiting for just these: a cluster that is full of parents would stand still.
        Each time it is twice as much.
        """
        if now - self._moved_at < STUCK_S:
            return False
        changed = False
        for need in self._waiting.needs():
            hosts = [host for host in self._live(need) if host.is_open]
            if hosts and self._waiting.is_under_way(need):
                for _ in range(max(1, sum(host.extra for host in hosts))):
                    min(hosts, key=lambda each: each.actors + each.extra).extra += 1
                self._moved_at, changed = now, True
        return changed

    def release(self, client: str, counts: Mapping[str, int], now: float) -> None:
        """So many actors of ``client`` ended on each host; what is no host will not use what was promised to it."""
        for name, number in counts.items():
            host = self.hosts.get(name)
            if host is None:
                continue
            if client in self.hosts:
                number = self._bookings.give_back(client, name, number)
            else:
                number = min(number, len(host.promises))
                for _ in range(number):
                    host.promises.pop()
            self._unbook(name, number, now)

    def expire(self, now: float) -> None:
        """Room that was promised and not used is free again."""
        for host in self.hosts.values():
            while host.promises and host.promises[0] <= now:
                host.promises.popleft()
                self._unbook(host.name, 1, now)

    @property
    def waiting(self) -> int:
        """How many actors wait for room."""
        return sum(map(self._waiting.actors, self._waiting.needs()))

    def _candidates(self, need: Need, *, under_way: bool) -> list[tuple[tuple[int, int, int], str]]:
        """A heap of the hosts that have room, the emptiest first."""
        on_node = Counter[str]()
        for host in self.hosts.values():
            on_node[host.node] += host.actors
        heap = [
            ((host.actors, on_node[host.node], host.last_placed), host.name)
            for host in self._live(need)
            if host.is_open and host.actors < host.room_for(under_way) and host.node in self.nodes
        ]
        heapq.heapify(heap)
        return heap

    def _take(self, heap: list[tuple[tuple[int, int, int], str]], most: int, *, under_way: bool) -> list[str]:
        names: list[str] = []
        while heap and len(names) < most:
            (_, on_node, _), name = heap[0]
            host = self.hosts[name]
            self._book(host, 1)
            host.last_placed = next(self._numbers)
            names.append(name)
            if host.actors < host.room_for(under_way):
                heapq.heapreplace(heap, ((host.actors, on_node + 1, host.last_placed), name))
            else:
                heapq.heappop(heap)
        return names

    def _charge(self, client: str, names: list[str], now: float) -> None:
        """Hosts answer for what they asked for; what others asked for is roots, which count with their run."""
        if client in self.hosts:
            self._bookings.add(client, Counter(names))
        else:
            for name in names:
                self.hosts[name].promises.append(now + PROMISE_S)

    def _book(self, host: HostEntry, number: int) -> None:
        if number:
            host.actors += number
            host.empty_since = None

    def _unbook(self, name: str, number: int, now: float) -> None:
        host = self.hosts.get(name)
        if host is not None and number:
            host.actors -= number
            self._moved_at = now
            if not host.actors:
                host.empty_since, host.extra = now, 0

    def _full(self) -> ChidoriError:
        hosts = len(self._live(ANY))
        return ChidoriError(
            f"the cluster is full: {hosts} hosts have {self._config.actors_per_host} actors each, and "
            f"{self.waiting} wait",
            hint="try again later, add nodes, or start the cluster with a greater --max-hosts or --actors-per-host",
        )
