"""Actors over the hosts of a cluster, as one host sees them: its runs' roots live here, what they start anywhere."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from chidori_actors.placement.local import LocalSystem
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.outcome import Rest

from .config import Need
from .home import Home, Life
from .link import Message
from .outpost import Outpost, Premises
from .placed import Placed
from .placements import Placements
from .remote_actor import HostLost
from .shipping import SentBundles, TakenBundles

_ENDING = 16
"""So many cancelled actors that never got room may be alive here at once, each to record its end."""


class PlacingSystem:
    """Implements ``ActorSystem`` on the host ``me``. ``send`` tells another host something, ``move`` hands a run whose
    home is here over to another host."""

    def __init__(
        self,
        me: str,
        local: LocalSystem,
        premises: Premises,
        placements: Placements,
        send: Callable[[str, Message], None],
        move: Callable[[str], None],
    ) -> None:
        self.me = me
        self.ending = asyncio.Semaphore(_ENDING)
        self._local = local
        self._premises = premises
        self._placements = placements
        self._send = send
        self._move = move
        self._leaving = False
        # A host's name is that of one life of it.
        self._lost: set[str] = set()
        self._homes: dict[str, Home] = {}
        self._lives = count(1)
        self._outposts: dict[tuple[str, Life], Outpost] = {}
        self._sent: dict[str, SentBundles] = {}
        self._taken: dict[str, TakenBundles] = {}
        self._placed: set[Placed] = set()
        self._ending: set[asyncio.Task[None]] = set()
        # Outposts of homes that are gone, as long as something goes on in them.
        self._orphans: set[asyncio.Task[None]] = set()

    def spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        if spec.meta is None or watcher is None or not spec.live:
            return _Root(self._local.spawn(spec, run, lane, closing, watcher), lambda: self._leave(run))
        placed = Placed(self, run, spec, lane, closing, watcher)
        self._placed.add(placed)
        placed.task.add_done_callback(lambda _: self._placed.discard(placed))
        return placed

    @property
    def live_vms(self) -> int:
        return self._local.live_vms

    async def close(self) -> None:
        for placed in self._placed:
            placed.task.cancel()
        if self._placed:
            await asyncio.wait([placed.task for placed in self._placed])
        for outpost in list(self._outposts.values()):
            await outpost.close()
        await self._placements.aclose()
        await self._local.close()

    async def evacuate(self) -> None:
        """Let go of the actors whose runs are at home elsewhere; their homes start them anew on other hosts."""
        self._leaving = True
        async with asyncio.TaskGroup() as leaving:
            for outpost in self._outposts.values():
                leaving.create_task(outpost.evacuate())

    def told(self, sender: str, message: Message) -> None:
        """Another host says something about a run that is at home here or there."""
        to, life, method, *args = message
        if to == "home":
            self._told_home(sender, life, method, args)
        else:
            self._told_outpost(sender, life, method, args)

    def lost(self, host: str) -> None:
        """A host is gone: its actors are placed anew, and those here whose home it was end."""
        self._lost.add(host)
        self._sent.pop(host, None)
        self._taken.pop(host, None)
        for home in self._homes.values():
            self._later(home.lost(host))
        for (at, life), outpost in list(self._outposts.items()):
            if at == host:
                del self._outposts[at, life]
                orphan = self._later(outpost.close())
                self._orphans.add(orphan)
                orphan.add_done_callback(self._orphans.discard)

    async def settled(self) -> None:
        """Return once nothing goes on here whose home is gone."""
        if self._orphans:
            await asyncio.wait(set(self._orphans))

    # -- for the actors of runs that are at home here ---------------------------------------------------------------

    async def place(self, need: Need) -> str:
        """The host on which an actor is to live."""
        return await self._placements.take(need)

    def give_back(self, host: str) -> None:
        self._placements.give_back(host)

    def start(
        self, host: str, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher
    ) -> ActorRef:
        """Let an actor live on that host.

        Raises:
            HostLost: it is gone, so the actor has never been there.
        """
        if host in self._lost:
            raise HostLost(host, died=False)
        if host == self.me:
            return self._local.spawn(spec, run, lane, closing, watcher)
        home = self._homes.get(run.run_id)
        if home is None:
            life = run.run_id, next(self._lives)
            send = partial(self._tell, "outpost", life)
            home = Home(run, life, send, self._bundles_for, self._premises.images, self.spawn)
            self._homes[run.run_id] = home
        return home.start(host, spec, lane, closing, watcher)

    def _leave(self, run: RunContext) -> None:
        home = self._homes.get(run.run_id)
        if home is not None and home.run is run:
            del self._homes[run.run_id]
            home.close()

    # -- messages ---------------------------------------------------------------------------------------------------

    def _tell(self, to: str, life: Life, host: str, *message: Any) -> None:
        self._send(host, (to, life, *message))

    def _bundles_for(self, host: str) -> SentBundles:
        return self._sent.setdefault(host, SentBundles())

    def _bundles_of(self, host: str) -> TakenBundles:
        return self._taken.setdefault(host, TakenBundles())

    def _told_home(self, sender: str, life: Life, method: str, args: list[Any]) -> None:
        if method == "spawn":
            args.append(self._bundles_of(sender).take(args[2].bundle))
        home = self._homes.get(life[0])
        if home is None or home.life != life:
            return
        if method == "move":
            self._move(life[0])
        else:
            getattr(home, f"on_{method}")(sender, *args)

    def _told_outpost(self, sender: str, life: Life, method: str, args: list[Any]) -> None:
        if method == "opened":
            self._open(sender, life, args[0])
            return
        if method == "start":
            args.append(self._bundles_of(sender).take(args[1].bundle))
        outpost = self._outposts.get((sender, life))
        if outpost is None:
            return
        if method == "closed":
            del self._outposts[sender, life]
            self._later(outpost.close())
        else:
            getattr(outpost, f"on_{method}")(*args)

    def _open(self, home: str, life: Life, shipped: Any) -> None:
        bundle = self._bundles_of(home).take(shipped.bundle)
        tell = partial(self._tell, "home", life, home)
        bundles = self._bundles_for(home)
        self._outposts[home, life] = Outpost(
            life[0], shipped, bundle, self._premises, bundles, tell, leaving=self._leaving
        )

    def _later(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


class _Root:
    """A run's root; once it has ended, nothing of the run is left anywhere."""

    def __init__(self, root: ActorRef, leave: Callable[[], None]) -> None:
        self._leave = leave
        self.cancel = root.cancel
        self.abort = root.abort
        self.drained = root.drained
        self.inherit = root.inherit
        self._wait = root.wait

    async def wait(self) -> Rest:
        try:
            return await self._wait()
        finally:
            self._leave()
