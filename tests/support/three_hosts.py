"""Three hosts of a cluster within this process: actors live on all of them, and what they say to one another is pickled
and arrives later, as between processes."""

import asyncio
import pickle
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import cast

from ray.exceptions import RayError

from actors.config import Need
from actors.images import Images
from actors.link import Message
from actors.outpost import Premises
from actors.placements import Placements
from actors.shipping import ShippedFork, ShippedProgram
from actors.system import PlacingSystem
from chidori_actors.host.resources import Resources
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Store
from chidori_actors.placement.local import LocalSystem
from chidori_actors.policy import Policy
from chidori_actors.runtime import LocalRuntime
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.settings import Settings
from chidori_actors.vm.engine import Engine
from chidori_actors.vm.image import Image
from chidori_actors.vm.machine import Bounds

_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Troubles:
    """What hosts and the network between them go through.

    With ``chance`` the messages of different pairs of hosts overtake one another, and it says which host dies: one that
    is no run's home, before the messages with the numbers ``deaths``, from 1. ``on_message`` is told each number.
    """

    chance: random.Random | None = None
    deaths: Collection[int] = ()
    on_message: Callable[[int], None] = lambda number: None


class _Network:
    """Takes messages from host to host: those of a pair in their order, each in a later turn of the event loop.

    ``on_message`` is told the number of each message, from 1, before it arrives.
    """

    def __init__(self, chance: random.Random | None, on_message: Callable[[int], None]) -> None:
        self._chance = chance
        self._on_message = on_message
        self._told: dict[str, Callable[[str, Message], None]] = {}
        self._waiting: deque[tuple[str, str]] = deque()
        self._messages: dict[tuple[str, str], deque[bytes]] = {}
        self._numbers = count(1)

    def join(self, host: str, told: Callable[[str, Message], None]) -> None:
        """A host hears what is sent to it from now on."""
        self._told[host] = told

    def cut(self, host: str) -> None:
        """Nothing comes from that host or reaches it any more, not even what is under way."""
        del self._told[host]

    def send(self, sender: str, to: str, message: Message) -> None:
        """To a host that is cut off nothing is sent, and from it neither."""
        pair = sender, to
        if sender not in self._told or to not in self._told:
            return
        self._messages.setdefault(pair, deque()).append(pickle.dumps(message))
        self._waiting.append(pair)
        asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        if self._chance is not None:
            self._waiting.rotate(self._chance.randrange(len(self._waiting)))
        self._on_message(next(self._numbers))
        sender, to = pair = self._waiting.popleft()
        message = self._messages[pair].popleft()
        if sender in self._told and to in self._told:
            self._told[to](sender, pickle.loads(message))


class _ObjectStore:
    """The images of forks by number, each with the host that put it there and takes it along when it is lost."""

    def __init__(self) -> None:
        self._images: dict[int, tuple[str, Image]] = {}
        self._numbers = count()

    def put(self, host: str, image: Image) -> int:
        number = next(self._numbers)
        self._images[number] = host, image
        return number

    def get(self, number: int) -> Image:
        if number not in self._images:
            raise RayError("the host that put the image there is gone")
        return self._images[number][1]

    def lose(self, host: str) -> None:
        self._images = {number: each for number, each in self._images.items() if each[0] != host}


class _HostImages:
    """A host's ``Images``."""

    def __init__(self, host: str, store: _ObjectStore) -> None:
        self._host = host
        self._store = store

    def put(self, image: Image) -> int:
        return self._store.put(self._host, image)

    async def of(self, origin: ShippedFork | ShippedProgram) -> Image | None:
        await asyncio.sleep(0)
        return None if isinstance(origin, ShippedProgram) else self._store.get(origin.image)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the hosts have in common."""

    engine: Engine
    bounds: Bounds
    store: Store
    resources: Resources


class ThreeHosts:
    """Implements ``ActorSystem``. Every run is at home on one of the hosts, its other actors are placed in turn."""

    def __init__(self, surroundings: Surroundings, troubles: Troubles) -> None:
        self._surroundings = surroundings
        self._troubles = troubles
        self._network = _Network(troubles.chance, self._passes)
        self._images = _ObjectStore()
        self._names = count(1)
        self._turns = count(1)  # so that the first of a run's actors that is placed leaves its home
        self._systems: dict[str, PlacingSystem] = {}
        self._homes: dict[str, str] = {}
        self._ending: set[asyncio.Task[None]] = set()
        for _ in range(_HOSTS):
            self._start()

    def spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        home = self._homes.setdefault(run.run_id, next(iter(self._systems)))
        return self._systems[home].spawn(spec, run, lane, closing, watcher)

    @property
    def live_vms(self) -> int:
        return sum(system.live_vms for system in self._systems.values())

    async def close(self) -> None:
        for system in self._systems.values():
            await system.close()
        if self._ending:
            await asyncio.wait(self._ending)

    def _passes(self, number: int) -> None:
        self._troubles.on_message(number)
        if number in self._troubles.deaths:
            self._lose_one()

    def _lose_one(self) -> None:
        chance = self._troubles.chance or random
        name = chance.choice([name for name in self._systems if name not in self._homes.values()])
        self._network.cut(name)
        self._images.lose(name)
        task = asyncio.create_task(self._systems.pop(name).close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        self._start()
        for other in self._systems.values():
            # Each hears of it when it does, and may say something to the dead until then.
            asyncio.get_running_loop().call_soon(other.lost, name)

    def _start(self) -> None:
        name, of = f"host-{next(self._names)}", self._surroundings
        local = LocalSystem(of.engine, of.bounds)
        premises = Premises(of.store, of.resources, local, cast(Images, _HostImages(name, self._images)))
        placements = Placements(self._place, _give_back)

        def send(to: str, message: Message) -> None:
            self._network.send(name, to, message)

        system = self._systems[name] = PlacingSystem(name, local, premises, placements, send, _stays)
        self._network.join(name, system.told)

    async def _place(self, number: int, need: Need) -> list[str]:
        await asyncio.sleep(0)
        names = list(self._systems)
        return [names[next(self._turns) % len(names)] for _ in range(number)]


def _stays(run_id: str) -> None:
    raise AssertionError(f"no host is drained, and {run_id} is to move")


async def _give_back(counts: dict[str, int]) -> None:
    await asyncio.sleep(0)


_NONE = Troubles()


@asynccontextmanager
async def open_three_hosts(
    settings: Settings, policy: Policy, bounds: Bounds, image_every: int, troubles: Troubles = _NONE
) -> AsyncIterator[LocalRuntime]:
    """A runtime whose actors live on three hosts."""
    store = LocalStore.open(settings.store, durability=settings.durability)
    resources = Resources()

    def make(engine: Engine, bounds: Bounds) -> ThreeHosts:
        return ThreeHosts(Surroundings(engine, bounds, store, resources), troubles)

    try:
        runtime = LocalRuntime(settings, store, policy, bounds, image_every, make, resources)
        try:
            yield runtime
        finally:
            await runtime.close()
            await resources.aclose()
    finally:
        store.close()
