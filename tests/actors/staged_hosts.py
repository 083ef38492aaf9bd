"""Some hosts in this process, whose messages a test can hold back, overhear and lose."""

import asyncio
import pickle
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from actors.config import Need
from actors.images import Images
from actors.link import Message
from actors.outpost import Premises
from actors.placements import Placements
from actors.shipping import ShippedFork, ShippedProgram
from actors.system import PlacingSystem
from chidori_actors.host.resources import Resources
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.placement.local import LocalSystem
from chidori_actors.policy import Policy
from chidori_actors.runtime import LocalRuntime
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.vm.engine import Engine, load_engine
from chidori_actors.vm.image import Image
from chidori_actors.vm.machine import Bounds
from tests.support.agents import LOCAL, make_settings, within

HANGS_AFTER_S = 30


class HostImages:
    """Those of all hosts."""

    def __init__(self) -> None:
        self._images: list[Image] = []

    def put(self, image: Image) -> int:
        self._images.append(image)
        return len(self._images) - 1

    async def of(self, origin: ShippedFork | ShippedProgram) -> Image | None:
        return None if isinstance(origin, ShippedProgram) else self._images[origin.image]


@dataclass
class Hosts:
    """Some hosts; the first is every run's home. ``places`` says where its actors go, in turn; then they stay at home,
    or wait until there is ``room``. ``booked`` is what they have.

    What hosts tell one another waits in ``said`` until ``deliver``, which happens by itself unless ``by_hand``, and is
    told to ``overhears`` at once. Those in ``dead`` hear and say nothing.
    """

    engine: Engine
    bounds: Bounds
    store: LocalStore
    resources: Resources
    places: list[str]
    by_hand: bool = False
    room: asyncio.Event = field(default_factory=asyncio.Event)
    booked: Counter[str] = field(default_factory=Counter)
    overhears: Callable[[str, Message], None] = lambda to, message: None
    said: list[tuple[str, str, bytes]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)
    systems: dict[str, PlacingSystem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.room.set()
        images = cast(Images, HostImages())
        for name in ("home", "b", "c", "d", "e", "f", "g"):
            local = LocalSystem(self.engine, self.bounds)
            premises = Premises(self.store, self.resources, local, images)
            placements = Placements(self._place, self._give_back)
            self.systems[name] = PlacingSystem(name, local, premises, placements, self._sender(name), self.moved.append)

    def spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        return self.systems["home"].spawn(spec, run, lane, closing, watcher)

    @property
    def live_vms(self) -> int:
        return sum(system.live_vms for system in self.systems.values())

    async def close(self) -> None:
        for system in self.systems.values():
            await system.close()

    def deliver(self) -> None:
        """Let everything that was said be heard, within one turn of the event loop."""
        said, self.said = self.said, []
        for sender, to, message in said:
            if not {sender, to} & self.dead:
                self.systems[to].told(sender, pickle.loads(message))

    def heard(self, method: str) -> list[Message]:
        """What waits to be heard of that name."""
        return [message for _, _, data in self.said if (message := pickle.loads(data))[2] == method]

    def lose(self, host: str) -> None:
        """The host dies, and the others hear of it."""
        self.dead.add(host)
        for name, system in self.systems.items():
            if name != host:
                system.lost(host)

    def _sender(self, name: str) -> Callable[[str, Message], None]:
        def send(to: str, message: Message) -> None:
            self.overhears(to, message)
            self.said.append((name, to, pickle.dumps(message)))
            if not self.by_hand:
                asyncio.get_running_loop().call_soon(self.deliver)

        return send

    async def _place(self, count: int, need: Need) -> list[str]:
        await asyncio.sleep(0)
        if not self.places:
            await self.room.wait()
        given = [self.places.pop(0) for _ in range(min(count, len(self.places)))] or ["home"] * count
        self.booked.update(given)
        return given

    async def _give_back(self, counts: dict[str, int]) -> None:
        self.booked.subtract(counts)


@dataclass
class Stage:
    runtime: LocalRuntime
    hosts: Hosts


@asynccontextmanager
async def staged(folder: Path, *places: str, environ: dict[str, str] | None = None) -> AsyncIterator[Stage]:
    settings = make_settings(folder / "store", {**LOCAL, **(environ or {})})
    store = LocalStore.open(settings.store, durability="relaxed")
    resources = Resources()
    made: list[Hosts] = []

    def make(engine: Engine, bounds: Bounds) -> Hosts:
        return made[0]

    try:
        made.append(Hosts(load_engine(), Bounds(), store, resources, list(places)))
        runtime = LocalRuntime(settings, store, Policy.load(settings), Bounds(), 2, make, resources)
        try:
            yield Stage(runtime, made[0])
        finally:
            made[0].by_hand = False
            made[0].deliver()
            await within(HANGS_AFTER_S, runtime.close())
            await resources.aclose()
    finally:
        store.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(HANGS_AFTER_S):
        while not holds():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


async def ended(work: Awaitable[Any]) -> None:
    """Wait for the end of what was cancelled; a hang becomes a failure."""
    with pytest.raises(asyncio.CancelledError):
        await within(HANGS_AFTER_S, work)


def branches(*bodies: str) -> str:
    """An agent that runs these in parallel."""
    thunks = ", ".join(f"async () => {{ {body} }}" for body in bodies)
    return f"export async function agent(input: any, chidori: any) {{ return await chidori.parallel([{thunks}]); }}"


ASKS = "return (await chidori.http(`${input.url}/asks`)).status;"
