"""The runs that a host drives: begun, attended, stopped, handed over to others."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ray.exceptions import RayError

from chidori_actors.errors import LeaseLost, RunOwned
from chidori_actors.journal.runs import get_run
from chidori_actors.languages.bundle import Bundle
from chidori_actors.runtime import LocalRuntime, RunResult

from .config import Need
from .front_queue import FrontQueues
from .news import Action, Ended, Moved, Stopping
from .pace import Pace
from .portable_errors import portable
from .relayed_attendance import RelayedAttendance
from .rested import stored_result
from .sources import Sources
from .work import Conditions, Listening, Work, recorded_version

_RUNTIMES = 8
_REMEMBERED = 10_000
"""So much work is known still when it has ended: its front may send it again, not knowing that it came."""
_HANDOVER_S = 2.0
_PAUSE_S = 0.05


class Elsewhere(Protocol):
    """The rest of the cluster, as a host's runs need it."""

    async def drives(self, work: Work) -> None:
        """The supervisor is to know that this host is the run's home."""
        ...

    async def rests(self, run_id: str) -> None:
        """The supervisor is to know that it is so no more."""
        ...

    async def place(self, need: Need) -> str:
        """Another host, with room for a run."""
        ...

    async def begin(self, host: str, work: Work) -> None:
        """Have another host go on with the work."""
        ...


@dataclass(slots=True)
class _Hosted:
    work: Work
    relay: RelayedAttendance
    task: asyncio.Task[None]
    moving: bool = False


class HostedRuns:
    """``make_runtime`` makes what drives the runs of the same conditions; ``is_cut_off`` tells whether the journal is
    lost to this host, which then must say nothing of its runs any more."""

    def __init__(
        self,
        make_runtime: Callable[[Conditions], LocalRuntime],
        queues: FrontQueues,
        elsewhere: Elsewhere,
        is_cut_off: Callable[[], bool],
    ) -> None:
        self._make_runtime = make_runtime
        self._queues = queues
        self._elsewhere = elsewhere
        self._is_cut_off = is_cut_off
        self._sources = Sources()
        self._runtimes: list[tuple[Conditions, LocalRuntime]] = []
        self._runs: dict[str, _Hosted] = {}
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._pace = Pace()
        self._leaving = False
        self._beginning = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def works(self) -> list[Work]:
        """What is to be done elsewhere, should this host be lost."""
        return [hosted.work for hosted in self._runs.values()]

    async def begin(self, works: Sequence[Work]) -> None:
        """Do the work from here on; returns once the supervisor knows. Work that came before is left as it is."""
        new = [work for work in works if self._is_new(work)]
        if self._leaving:
            for work in new:
                relay = RelayedAttendance(work.run_id, work.listening, self._queues)
                self._later(self._send_on(work.resumed(), relay))
            return
        self._beginning += 1
        try:
            await asyncio.gather(*(self._elsewhere.drives(work.resumed()) for work in new))
        finally:
            self._beginning -= 1
        for work in new:
            relay = RelayedAttendance(work.run_id, work.listening, self._queues)
            former = self._runs.get(work.run_id)
            task = asyncio.create_task(self._drive(work, relay, former), name=f"run {work.run_id}")
            self._runs[work.run_id] = _Hosted(work.resumed(), relay, task)

    def attend(self, run_id: str, listening: Listening) -> bool:
        """Let a front attend the run from now on; whether it is driven here."""
        hosted = self._runs.get(run_id)
        if hosted is None or hosted.moving:
            return False
        hosted.relay.join(listening)
        return True

    def act(self, front: str, actions: Sequence[Action]) -> None:
        """Do what the front wants. Runs that are not here any more have ended, or have gone elsewhere."""
        for action in actions:
            hosted = self._runs.get(action.run_id)
            if hosted is None:
                continue
            if isinstance(action.deed, Stopping):
                hosted.task.cancel()
            else:
                hosted.relay.act(front, action.deed)

    def drop_silent_fronts(self) -> None:
        """Nobody waits for fronts that are gone."""
        silent = self._queues.drop_silent()
        for hosted in self._runs.values() if silent else ():
            hosted.relay.leave(silent)

    async def evacuate(self) -> None:
        """Hand every run over to another host, once the calls that are under way in it have settled."""
        self._leaving = True
        while self._runs or self._tasks or self._beginning:
            if not (self._runs or self._tasks):
                await asyncio.sleep(_PAUSE_S)  # the supervisor is being told of them
            handing = [asyncio.create_task(self._hand_over(hosted)) for hosted in self._runs.values()]
            await asyncio.gather(*handing, *self._tasks)

    def move(self, run_id: str) -> None:
        """Hand this run over to another host."""
        hosted = self._runs.get(run_id)
        if hosted is not None:
            self._later(self._hand_over(hosted))

    async def close(self) -> None:
        """Stop every run, which stays resumable."""
        tasks = [*(hosted.task for hosted in self._runs.values()), *self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # -- driving ----------------------------------------------------------------------------------------------------

    def _is_new(self, work: Work) -> bool:
        key = work.key
        if work.begun:  # it may come back to where it was
            hosted = self._runs.get(work.run_id)
            return hosted is None or hosted.work.key != key
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return True

    async def _drive(self, work: Work, relay: RelayedAttendance, former: _Hosted | None) -> None:
        if former is not None:
            await asyncio.wait([former.task])
        result: RunResult | Exception | None = None
        elsewhere = False
        try:
            result = await self._perform(work, relay)
        except asyncio.CancelledError:
            pass  # it was stopped, and whoever did that knows why
        except (LeaseLost, RunOwned) as error:
            # Another host goes on with it, which the fronts will find, unless nobody but it was ever asked to.
            elsewhere = work.begun or isinstance(error, LeaseLost)
            result = error
        except Exception as error:
            result = portable(error)
        hosted = self._runs[work.run_id]
        if self._is_cut_off() or (hosted.relay is relay and hosted.moving):
            return
        relay.tell(Moved("") if elsewhere else Ended(result))
        if hosted.relay is relay:  # it was not begun anew meanwhile
            del self._runs[work.run_id]
            self._later(self._elsewhere.rests(work.run_id))

    async def _perform(self, work: Work, relay: RelayedAttendance) -> RunResult:
        if work.begun:
            await self._pace.step()
        until = asyncio.get_running_loop().time() + _HANDOVER_S
        while True:
            try:
                return await self._do(work, relay)
            except RunOwned:
                # Whoever had it has given it free, and the word may still be on its way.
                if asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def _do(self, work: Work, relay: RelayedAttendance) -> RunResult:
        runtime = self._runtime(work.conditions)
        run_id, attendance = work.run_id, relay.attendance()
        if work.begun and recorded_version(runtime.store, run_id) != work.recorded:
            meta = get_run(runtime.store, run_id)
            if meta.status != "running":
                return stored_result(meta)
            return await runtime.resume(run_id, attendance=attendance)
        arguments = dict(work.arguments)
        if work.kind == "run":
            assert work.source is not None
            bundle = await self._sources.get(work.source)
            return await runtime.run(bundle, **arguments, run_id=run_id, attendance=attendance)
        if work.kind == "resume":
            current = await self._current(work)
            return await runtime.resume(run_id, current=current, **arguments, attendance=attendance)
        if work.kind == "branch":
            return await runtime.branch(**arguments, new_id=run_id, attendance=attendance)
        return await runtime.replay_as(**arguments, new_id=run_id, attendance=attendance)

    async def _current(self, work: Work) -> Bundle | None:
        """The source on the front's disk, if it is to be compared."""
        if work.source is None:
            return None
        try:
            return await self._sources.get(work.source)
        except RayError:
            if work.begun:  # the front is gone too, and its source was compared when it began
                return None
            raise

    def _runtime(self, conditions: Conditions) -> LocalRuntime:
        for place, (known, runtime) in enumerate(self._runtimes):
            if known == conditions:
                self._runtimes.append(self._runtimes.pop(place))
                return runtime
        runtime = self._make_runtime(conditions)
        self._runtimes.append((conditions, runtime))
        if len(self._runtimes) > _RUNTIMES:
            del self._runtimes[0]  # its runs go on with it
        return runtime

    # -- handing over -----------------------------------------------------------------------------------------------

    async def _hand_over(self, hosted: _Hosted) -> None:
        await _either(hosted.relay.drained(), hosted.task)
        if hosted.task.done() or hosted.moving:
            return
        hosted.moving = True
        hosted.relay.silence()
        hosted.task.cancel()
        await asyncio.wait([hosted.task])
        await self._send_on(hosted.work, hosted.relay)
        del self._runs[hosted.work.run_id]

    async def _send_on(self, work: Work, relay: RelayedAttendance) -> None:
        host = await self._elsewhere.place(work.need)
        await self._elsewhere.begin(host, work)
        relay.tell(Moved(host))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _either(first: Coroutine[Any, Any, None], second: asyncio.Task[None]) -> None:
    waiting = asyncio.ensure_future(first)
    try:
        await asyncio.wait([waiting, second], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
