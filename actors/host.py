"""A host: the Ray actor in which runs and their actors live."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray

from chidori_actors.errors import ChidoriError
from chidori_actors.host.resources import Resources
from chidori_actors.placement.local import LocalSystem
from chidori_actors.runtime import LocalRuntime
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds

from .config import ClusterConfig, Need
from .front_queue import FrontQueues
from .hosted_runs import HostedRuns
from .images import Images
from .link import Links, Peer
from .news import Action, Told
from .outpost import Premises
from .placements import Placements, placements_of
from .references import References
from .remote_store import RemoteStore
from .reports import Reports
from .shards import ShardAddress, find_shards
from .status import HostLoad
from .supervisor_link import SupervisorLink
from .system import PlacingSystem
from .work import Conditions, Listening, Work

_PAGE = os.sysconf("SC_PAGE_SIZE")
_WAKE_S = 2.0
_PARTS_OF_LOST = 6
"""So often within the time after which it is lost, a front is looked after."""


@dataclass(frozen=True, slots=True)
class _House:
    """What belongs to the event loop of a host's methods."""

    store: RemoteStore
    system: PlacingSystem
    placements: Placements
    links: Links
    queues: FrontQueues
    runs: HostedRuns
    keepers: tuple[asyncio.Task[None], ...]


class Host:
    """Drives the runs that fronts have it begin, and holds actors of others. Its name stands for one life of it.

    The methods of the group ``control`` are answered on another thread, also while this one is busy, and only look.
    Through what ``find_journal`` gives it reaches the journal: whoever lets a host be cut off from that, and from
    nothing else, gives it shards of its own.
    """

    def __init__(
        self,
        name: str,
        config: ClusterConfig,
        need: Need,
        find_journal: Callable[[ClusterConfig], Awaitable[Sequence[ShardAddress]]] = find_shards,
    ) -> None:
        self._name = name
        self._config = config
        self._need = need
        self._find_journal = find_journal
        self._node_id = ray.get_runtime_context().get_node_id()
        self._opening: asyncio.Task[_House] | None = None
        self._house: _House | None = None
        self._evacuating: asyncio.Future[tuple[None, None]] | None = None
        self._used = time.process_time(), time.monotonic()

    # -- fronts -----------------------------------------------------------------------------------------------------

    async def begin(self, front: str, works: Sequence[Work]) -> None:
        """Drive these runs from here on; returns once the supervisor knows. From the supervisor (``front`` is empty)
        they come when another host was lost that had begun them. What came before is not begun again."""
        house = await self._opened()
        await house.runs.begin(works if front else [work.resumed() for work in works])

    async def follow(self, front: str, after: int) -> list[Told]:
        """What the front is to be told, newer than number ``after``: at once if there is something, at most 10 s later
        otherwise."""
        house = await self._opened()
        return await house.queues.after(front, after)

    async def attend(self, run_id: str, listening: Listening) -> bool:
        """Let a front attend a run from now on, whose open questions it is told; False when it is not driven here."""
        house = await self._opened()
        return house.runs.attend(run_id, listening)

    async def act(self, front: str, actions: Sequence[Action]) -> None:
        """Do what a front wants with runs, as far as they are here."""
        house = await self._opened()
        house.runs.act(front, actions)

    # -- other hosts ------------------------------------------------------------------------------------------------

    async def exchange(self, sender: str, number: int, payload: bytes, references: References) -> bool:
        """Take what another host says; False when that one is held for dead."""
        house = await self._opened()
        return house.links.received(sender, number, payload, references)

    async def bury(self, name: str) -> None:
        """Another host is gone; returns once nothing goes on here that had its home there."""
        if self._house is not None:
            self._house.links.bury(name)
            await self._house.system.settled()

    # -- the supervisor ---------------------------------------------------------------------------------------------

    async def hosted(self) -> list[Work]:
        """The runs that are at home here."""
        house = await self._opened()
        return house.runs.works

    async def evacuate(self) -> None:
        """Move everything away, each run and actor once its calls have settled; nothing new begins here."""
        house = await self._opened()
        if self._evacuating is None:  # another supervisor, which was started meanwhile, asks for it again
            self._evacuating = asyncio.gather(house.runs.evacuate(), house.system.evacuate())
        await asyncio.shield(self._evacuating)

    @ray.method(concurrency_group="control")
    async def ping(self) -> HostLoad:
        """How it is."""
        before, self._used = self._used, (time.process_time(), time.monotonic())
        seconds = self._used[1] - before[1]
        house = self._house
        return HostLoad(
            node_id=self._node_id,
            need=self._need,
            pid=os.getpid(),
            memory_bytes=_resident_bytes(),
            placed={} if house is None else house.placements.held,
            cpu=(self._used[0] - before[0]) / seconds if seconds > 0 else None,
            journal_reachable=house is None or house.store.reachable,
        )

    @ray.method(concurrency_group="control")
    async def watch(self) -> None:
        """Never returns: whoever waits for it hears of the host's death at once."""
        await asyncio.Event().wait()

    # -- its life ---------------------------------------------------------------------------------------------------

    async def _opened(self) -> _House:
        if self._house is not None:
            return self._house
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> _House:
        config, name = self._config, self._name
        store = RemoteStore(name, await self._find_journal(config), config)
        supervisor = SupervisorLink(config)
        resources = Resources()
        local = LocalSystem(load_engine(), Bounds())
        placements = placements_of(name, supervisor)
        links = Links(
            name,
            self._peer,
            lambda sender, message: system.told(sender, message),
            lambda host: system.lost(host),
            lost_after_s=config.lost_after_s,
        )
        premises = Premises(store, resources, local, Images())
        system = PlacingSystem(name, local, premises, placements, links.send, lambda run_id: runs.move(run_id))

        def make_runtime(conditions: Conditions) -> LocalRuntime:
            return LocalRuntime(
                conditions.settings,
                store,
                conditions.policy,
                Bounds(),
                conditions.image_every,
                lambda engine, bounds: system,
                resources,
            )

        queues = FrontQueues(config.lost_after_s)
        runs = HostedRuns(make_runtime, queues, _Elsewhere(name, config, supervisor), store.lost.is_set)
        keepers = (
            asyncio.create_task(_exit_when_lost(store)),
            asyncio.create_task(_wake_supervisor(supervisor)),
            asyncio.create_task(_look_after_fronts(runs, config.lost_after_s / _PARTS_OF_LOST)),
        )
        self._house = _House(store, system, placements, links, queues, runs, keepers)
        return self._house

    def _peer(self, name: str) -> Peer | None:
        try:
            return _RayPeer(ray.get_actor(name, namespace=self._config.namespace))
        except ValueError:
            return None


class _RayPeer:
    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def exchange(self, sender: str, number: int, payload: bytes, references: References) -> asyncio.Future[bool]:
        return asyncio.wrap_future(self._actor.exchange.remote(sender, number, payload, references).future())

    def watch(self) -> asyncio.Future[None]:
        return asyncio.wrap_future(self._actor.watch.remote().future())


class _Elsewhere:
    """The supervisor and the other hosts."""

    def __init__(self, me: str, config: ClusterConfig, supervisor: SupervisorLink) -> None:
        self._me = me
        self._config = config
        self._supervisor = supervisor
        self._reports = Reports(me, supervisor)

    async def drives(self, work: Work) -> None:
        await self._reports.tell(work)

    async def rests(self, run_id: str) -> None:
        await self._reports.tell(run_id)

    async def place(self, need: Need) -> str:
        # As a front does: the room is that of the run's root, wherever it is.
        names: list[str] = await self._supervisor.ask("place", f"{self._me}/moving", 1, need)
        return names[0]

    async def begin(self, host: str, work: Work) -> None:
        await ray.get_actor(host, namespace=self._config.namespace).begin.remote("", [work])


async def _exit_when_lost(store: RemoteStore) -> None:
    await store.lost.wait()
    # Others have its runs by now. Whatever it wrote on its way out would be refused.
    os._exit(1)


async def _wake_supervisor(supervisor: SupervisorLink) -> None:
    """One that Ray started again does nothing until somebody calls it."""
    while True:
        with suppress(ChidoriError):  # it stays away: whoever needs it says so
            await supervisor.ask("config")
        await asyncio.sleep(_WAKE_S)


async def _look_after_fronts(runs: HostedRuns, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        runs.drop_silent_fronts()


def _resident_bytes() -> int:
    with open("/proc/self/statm") as figures:
        return int(figures.read().split()[1]) * _PAGE
