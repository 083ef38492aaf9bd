"""An actor's calls on their way: performed side by side, their settlements committed in the order they came."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..host.function import Unanswered
from ..journal.lanes import Settled
from .context import RunContext
from .host_calls import Done, HostCalls, LiveCall
from .lane_writer import LaneWriter


class CallRunner:
    """Runs calls while ``open`` is entered. ``wake`` is set whenever something changed; ``fault`` ends the actor."""

    def __init__(self, run: RunContext, lane: LaneWriter, calls: HostCalls) -> None:
        self._run = run
        self._lane = lane
        self._calls = calls
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ready: list[tuple[LiveCall, Settled]] = []
        self._undelivered: deque[int] = deque()
        self.wake = asyncio.Event()
        self.fault: BaseException | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Calls can be issued; leaving cancels those that still run and waits for them.

        Raises:
            Exception: the body's, or the fault of a call, not wrapped into a group.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            except Exception as error:  # raised below: the task group would wrap it
                self.fault = error
            finally:
                self._group = None
                for task in self._tasks.values():
                    task.cancel()
        if self.fault is not None:
            raise self.fault

    @property
    def is_open(self) -> bool:
        return self._group is not None

    def issue(self, call: LiveCall) -> None:
        """Begin a call."""
        assert self._group is not None
        self._tasks[call.started.ordinal] = self._group.create_task(self._perform(call))

    def give_up(self, call: LiveCall) -> None:
        """The agent does not want the call any more: stop it, record that, and commit it."""
        settled = self.cancel(call)
        self._lane.submit(lambda error: self._cancelled(call, settled, error))

    def cancel(self, call: LiveCall) -> Settled:
        """Stop a call and put that into the lane, to be committed with what comes next."""
        # One that is cancelled before its first step never gets to take itself out.
        task = self._tasks.pop(call.started.ordinal, None)
        if task is not None:
            task.cancel()
        settled = self._calls.cancelled(call)
        self._lane.append(settled)
        return settled

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def take_ready(self) -> list[tuple[LiveCall, Settled]]:
        """The settlements that are durable and that nobody has taken yet, in the order of the lane."""
        ready, self._ready = self._ready, []
        for _ in ready:
            self._undelivered.popleft()
        return ready

    @property
    def tail(self) -> int:
        """The place in the lane of the first settlement that was not taken yet."""
        return self._undelivered[0] if self._undelivered else self._lane.length

    def committed(self, error: BaseException | None) -> None:
        """A submission of the actor's ended, well or with ``error``."""
        if error is not None and self.fault is None:
            self.fault = error
        self.wake.set()

    async def _perform(self, call: LiveCall) -> None:
        try:
            done = await self._calls.perform(call, self._lane.commit)
        except Unanswered as unanswered:
            call.question = unanswered.question
            self._run.observer.call_waits(unanswered.question)
            self.wake.set()
        except Exception as error:
            self.committed(error)
        else:
            self._settle(call, done)
        finally:
            self._tasks.pop(call.started.ordinal, None)

    def _settle(self, call: LiveCall, done: Done) -> None:
        settled = done.settled
        call.settling = True
        self._undelivered.append(self._lane.append(settled))

        def committed(error: BaseException | None) -> None:
            if error is None:
                self._ready.append((call, settled))
            self.committed(error)
            if error is None:
                self._run.observer.call_ended(call.path, call.started, settled, False)

        alone = len(self._tasks) == 1 and len(self._undelivered) == 1
        self._lane.submit(committed, done.writes, alone=alone)

    def _cancelled(self, call: LiveCall, settled: Settled, error: BaseException | None) -> None:
        self.committed(error)
        if error is None:
            self._run.observer.call_ended(call.path, call.started, settled, False)
