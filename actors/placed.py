"""An actor of a run that is at home here, wherever it lives."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from typing import Protocol

from chidori_actors.journal.lanes import Settled
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.live_parts import Part
from chidori_actors.session.outcome import Failed, Rest, bound_exceeded
from chidori_actors.session.past import load_past
from chidori_actors.vm.engine import load_engine

from .config import Need
from .remote_actor import HostLost

MOST_DEATHS = 5
"""When so many hosts in a row died under an actor, it is not placed any more: it may be what ends them."""
_HARMLESS_S = 600.0
"""A host that died after an actor had lived there for so long did not die of it."""
_PAUSE_S = 0.05


class Hosts(Protocol):
    """Where actors can live; ``me`` is the host that asks. ``ending`` is held by those that live there without room."""

    me: str
    ending: asyncio.Semaphore

    async def place(self, need: Need) -> str:
        """Take room on a host; its name."""
        ...

    def give_back(self, host: str) -> None: ...

    def start(
        self, host: str, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher
    ) -> ActorRef:
        """Let an actor live on that host.

        Raises:
            HostLost: it is gone, so the actor has never been there.
        """
        ...


class Placed:
    """An ``ActorRef`` to an actor; where its host is lost, it is placed anew from its record."""

    def __init__(
        self,
        hosts: Hosts,
        run: RunContext,
        spec: ActorSpec,
        lane: LaneWriter,
        closing: Closing,
        watcher: Watcher,
    ) -> None:
        self._hosts = hosts
        self._run = run
        self._lane = lane
        self._closing = closing
        self._watcher = watcher
        self._ref: ActorRef | None = None
        self._deaths = 0
        """How many hosts died under it in a row without its getting any further."""
        self._waiting: asyncio.Timeout | None = None
        # What it was told so far, for where it lives next.
        self._cancelled: tuple[str | None] | None = None
        self._inherited: list[tuple[int, Settled | None]] = []
        self.task = asyncio.create_task(self._live(spec), name=f"placed {run.run_id}/{spec.path}")

    async def wait(self) -> Rest:
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            # It must have cleaned up before whoever waits goes on.
            self.task.cancel()
            await asyncio.wait([self.task])
            raise

    def cancel(self, reason: str | None = None) -> None:
        if self._cancelled is None and self._waiting is not None and self._may_end_here:
            self._waiting.reschedule(asyncio.get_running_loop().time())
        self._cancelled = (reason,)
        if self._ref is not None:
            self._ref.cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        self._run.parts.abort(part, reason)

    async def drained(self) -> None:
        await self._run.drain.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        self._inherited.append((key, settled))
        if self._ref is not None:
            self._ref.inherit(key, settled)

    async def _live(self, spec: ActorSpec) -> Rest:
        run, lane = self._run, self._lane
        clock = asyncio.get_running_loop().time
        while self._deaths < MOST_DEATHS:
            host, length, came = await self._place(spec.need), lane.length, clock()
            if host is None:
                return await self._end_here(spec)
            try:
                return await self._live_on(host, spec)
            except HostLost as lost:
                if self._ref is None:
                    # Whoever named the host has yet to hear of it.
                    await asyncio.sleep(_PAUSE_S)
                elif lost.died:
                    harmless = lane.length > length or clock() - came > _HARMLESS_S
                    self._deaths = 1 if harmless else self._deaths + 1
                self._ref = None
                self._watcher.goes_on()
            finally:
                self._hosts.give_back(host)
            if lane.length > length:
                # Until it has written something, what it begins with waits in the lane writer, which it keeps.
                await run.store.flush()
                spec = replace(spec, past=load_past(run.store, lane.lane, load_engine().golden))
        return await self._fail(spec.path)

    async def _live_on(self, host: str, spec: ActorSpec) -> Rest:
        self._ref = ref = self._hosts.start(host, spec, self._run, self._lane, self._closing, self._watcher)
        for key, settled in self._inherited:
            ref.inherit(key, settled)
        if self._cancelled is not None:
            ref.cancel(*self._cancelled)
        return await ref.wait()

    @property
    def _may_end_here(self) -> bool:
        """Whether it can be started on this host when that is only for it to be ended."""
        return self._deaths == 0

    async def _end_here(self, spec: ActorSpec) -> Rest:
        inside = self._run.actors.lanes(started.seq for started in spec.past.started.values())
        # Those inside of it end first, and have their turn while it has its own.
        async with nullcontext() if inside else self._hosts.ending:
            return await self._live_on(self._hosts.me, spec)

    async def _place(self, need: Need) -> str | None:
        """The host where it has got room; None when it is to be ended, for which it needs none."""
        if self._cancelled is not None and self._may_end_here:
            return None
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await self._hosts.place(need)
        except TimeoutError:
            if self._cancelled is None:
                raise
            return None
        finally:
            self._waiting = None

    async def _fail(self, path: str) -> Failed:
        failed = bound_exceeded(
            f"actor {path}: {MOST_DEATHS} hosts in a row died while it was on them and got no further; it may be what "
            "ends their processes (by its memory, or a crash in native code)"
        )
        await self._lane.commit(self._closing(failed))
        return failed
