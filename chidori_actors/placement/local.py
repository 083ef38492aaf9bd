"""Actors as tasks of this process's event loop."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from ..journal.lanes import Settled
from ..session.actor import Actor
from ..session.actor_spec import ActorSpec
from ..session.context import Closing, RunContext, Watcher
from ..session.lane_writer import LaneWriter
from ..session.live_parts import Part
from ..session.outcome import Rest
from ..session.vm_host import VmResources
from ..vm.engine import Engine
from ..vm.machine import Bounds


class LocalRef:
    """An actor of this process."""

    def __init__(self, actor: Actor, task: asyncio.Task[Rest]) -> None:
        self._actor = actor
        self._task = task

    async def wait(self) -> Rest:
        try:
            return await self._task
        except asyncio.CancelledError:
            # It must have cleaned up before whoever waits goes on.
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    def cancel(self, reason: str | None = None) -> None:
        self._actor.cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        self._actor.abort(part, reason)

    async def drained(self) -> None:
        await self._actor.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        self._actor.inherit(key, settled)


class LocalSystem:
    """Thousands of actors in one process: one event loop, a step pool for JavaScript that runs long."""

    def __init__(self, engine: Engine, bounds: Bounds) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="step pool")
        self._shared = VmResources(engine, bounds, self._pool)
        self._tasks: set[asyncio.Task[Rest]] = set()

    def spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> LocalRef:
        actor = Actor(spec, run, lane, self._shared, watcher)
        task = asyncio.create_task(actor.run(closing), name=f"actor {run.run_id}/{spec.path}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return LocalRef(actor, task)

    @property
    def live_vms(self) -> int:
        return len(self._tasks)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._pool.shutdown()
