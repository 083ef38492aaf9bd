"""The runs that a front attends, wherever they are: followed from host to host until they are at rest."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ray.exceptions import RayActorError

from chidori_actors.errors import ChidoriError, NotResumable, RunExists, RunOwned
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.runtime import RunResult

from .attended_run import AttendedRun
from .config import Need
from .host_end import HostEnd, HostLink
from .news import Action, Deed, Moved, Stopping, Told
from .rested import stored_result
from .work import Work, recorded_version

_LOOK_S = 0.3
_LOOKS = 3
"""So often nobody must know where a run is before this front has it begun anew: the supervisor has waited then too."""
_STOPPING_S = 30.0


class Directory(Protocol):
    """What the supervisor knows."""

    async def place(self, need: Need) -> str:
        """A host with room for a run."""
        ...

    async def locate(self, run_id: str) -> str | None:
        """The host that drives the run now; empty while it is between two, None when nobody knows it."""
        ...

    async def gone(self, host: str) -> None:
        """Tell that a host seems to be dead."""
        ...


class Following:
    """``find`` gives the host of a name; it raises ``ValueError`` when there is none."""

    def __init__(self, front: str, store: Store, directory: Directory, find: Callable[[str], HostLink]) -> None:
        self._front = front
        self._store = store
        self._directory = directory
        self._find = find
        self._ends: dict[str, HostEnd] = {}
        self._runs: dict[str, AttendedRun] = {}
        self._homes: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def begin(self, run: AttendedRun, work: Work) -> None:
        """Have a host drive the run, and follow it.

        Raises:
            RunExists, RunOwned: this front follows a run of that id already.
            ChidoriError: there is no room, or no host has what it needs.
        """
        former = self._runs.get(run.run_id)
        if former is not None and not former.ended.done():
            if work.kind == "run":
                raise RunExists(f"run {run.run_id} exists already", hint="it is under way; give the new one another id")
            raise RunOwned(f"run {run.run_id} is under way already", hint="wait until it ends, or cancel it")
        self._runs[run.run_id] = run
        try:
            await self._begin(run, work)
        except BaseException:
            self._leave(run)
            raise
        run.hold()

    async def _begin(self, run: AttendedRun, work: Work) -> None:
        while True:
            host = await self._directory.place(work.need)
            self._settle(run, host)
            try:
                await self._end(host).begin(work)
            except (RayActorError, ValueError):
                await self._directory.gone(host)
                if await self._join(run, _LOOKS):
                    break
                work = work.resumed()
                continue
            self._follow(host)
            break

    async def attend(self, run: AttendedRun) -> bool:
        """Follow a run that is under way; False when it is not."""
        self._runs[run.run_id] = run
        if not await self._join(run, 1):
            self._leave(run)
            return False
        run.hold()
        return True

    async def is_under_way(self, run_id: str) -> bool:
        """Whether a host drives the run."""
        return await self._directory.locate(run_id) is not None

    async def result(self, run: AttendedRun) -> RunResult:
        """How the run came to rest. When the wait is cancelled it is stopped, as it is, unless it goes on alone; when
        this is closed, the wait is cancelled."""
        try:
            result = await asyncio.shield(run.ended)
        except asyncio.CancelledError:
            if not run.goes_on_alone and not run.ended.done():
                self.act(run.run_id, Stopping())
                await asyncio.wait([run.ended], timeout=_STOPPING_S)
            raise
        finally:
            self._leave(run)
        if result is None and self._is_closing:
            raise asyncio.CancelledError
        if result is None:
            raise NotResumable(f"run {run.run_id} was stopped by somebody else", hint="it can be resumed")
        return result

    def act(self, run_id: str, deed: Deed) -> None:
        """Have the run's host do something with it."""
        host = self._homes.get(run_id)
        if host is not None:
            self._end(host).act(Action(run_id, deed))

    async def aclose(self) -> None:
        """Stop the runs that do not go on alone, and follow nothing any more."""
        self._is_closing = True
        following = [run for run in self._runs.values() if not run.ended.done()]
        stopping = [run for run in following if not run.goes_on_alone]
        for run in stopping:
            self.act(run.run_id, Stopping())
        if stopping:
            await asyncio.wait([run.ended for run in stopping], timeout=_STOPPING_S)
        for run in following:
            run.ended.cancel()
        for task in self._tasks:
            task.cancel()
        for end in self._ends.values():
            await end.aclose()
        self._ends.clear()

    # -- hosts ------------------------------------------------------------------------------------------------------

    def _end(self, host: str) -> HostEnd:
        end = self._ends.get(host)
        if end is None:
            end = self._ends[host] = HostEnd(
                self._find(host),
                self._front,
                lambda told: self._told(host, told),
                lambda: host in self._homes.values(),
                lambda: self._lost(host),
            )
        return end

    def _settle(self, run: AttendedRun, host: str) -> None:
        self._runs[run.run_id] = run
        self._homes[run.run_id] = host

    def _leave(self, run: AttendedRun) -> None:
        run.close()
        if self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]
            self._homes.pop(run.run_id, None)

    def _follow(self, host: str) -> None:
        self._end(host).follow()

    def _told(self, host: str, told: Told) -> None:
        run = self._runs.get(told.run_id)
        if run is None or self._homes.get(told.run_id) != host:
            return
        if isinstance(told.news, Moved):
            self._homes.pop(told.run_id)
            self._later(self._find_again(run))
            return
        run.told(told.news)
        if run.ended.done():
            self._homes.pop(told.run_id)

    def _lost(self, host: str) -> None:
        self._ends.pop(host, None)
        orphans = [self._runs[run_id] for run_id, home in self._homes.items() if home == host]
        for run in orphans:
            del self._homes[run.run_id]
        self._later(self._find_all_again(host, orphans))

    async def _find_all_again(self, host: str, orphans: list[AttendedRun]) -> None:
        await self._directory.gone(host)
        await asyncio.gather(*(self._find_again(run) for run in orphans))

    async def _find_again(self, run: AttendedRun) -> None:
        """Follow the run to where it is now, or tell how it ended."""
        run.leaves()
        try:
            if await self._join(run, _LOOKS):
                run.arrived()
            elif not self._is_wanted(run) or self._ended_unseen(run):
                return
            elif run.work is None:
                raise NotResumable(f"run {run.run_id} was interrupted", hint="it can be resumed")
            else:
                await self.begin(run, run.work.resumed())
        except (ChidoriError, RayActorError) as error:
            run.give_up(error if isinstance(error, ChidoriError) else ChidoriError(str(error)))

    def _is_wanted(self, run: AttendedRun) -> bool:
        return not run.ended.done() and self._runs.get(run.run_id) is run

    def _ended_unseen(self, run: AttendedRun) -> bool:
        """Whether the run came to rest, and its host was lost before it could say so."""
        meta = get_run(self._store, run.run_id)
        untouched = run.work is not None and recorded_version(self._store, run.run_id) == run.work.recorded
        if meta.status == "running" or untouched:
            return False
        if not run.ended.done():
            run.ended.set_result(stored_result(meta))
        return True

    async def _join(self, run: AttendedRun, looks: int) -> bool:
        """Follow the run to where it is; False once nobody has known it so often, or wants it.

        While it is between two hosts, or on its way to or from the one that the supervisor names, somebody does.
        """
        unknown = 0
        while self._is_wanted(run):
            host = await self._directory.locate(run.run_id)
            if host is None:
                unknown += 1
                if unknown == looks:
                    break
            elif host and await self._attend(run, host):
                return True
            else:
                unknown = 0
            await asyncio.sleep(_LOOK_S)
        return False

    async def _attend(self, run: AttendedRun, host: str) -> bool:
        self._settle(run, host)
        try:
            if await self._end(host).attend(run.run_id, run.listening):
                self._follow(host)
                return True
        except (RayActorError, ValueError):
            self._ends.pop(host, None)
            await self._directory.gone(host)
        self._homes.pop(run.run_id, None)
        return False

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
