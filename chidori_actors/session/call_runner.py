"""An actor's calls on their way: performed side by side, their settlements committed in the order they came."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial

from ..host.function import Unanswered
from ..journal.lanes import Settled, Started
from ..journal.store import Write
from .children import ContainerCancelled
from .context import RunContext
from .host_calls import Done, HostCalls, LiveCall
from .lane_writer import LaneWriter

Ready = tuple[Started, Settled]
"""A settlement that is durable and whose call it is."""


class CallRunner:
    """Runs calls while ``open`` is entered. ``wake`` is set whenever something changed; ``fault`` ends the actor."""

    def __init__(self, run: RunContext, lane: LaneWriter, calls: HostCalls) -> None:
        self._run = run
        self._lane = lane
        self._calls = calls
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._ready: deque[Ready] = deque()
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

    def give_up(self, call: LiveCall, then: Callable[[Settled], None]) -> None:
        """The agent does not want the call any more: stop it, record that, and commit it; ``then`` hears of it."""
        self._end(call, lambda: self._record_cancelled(call, then))

    def abort(self, call: LiveCall, reason: str, then: Callable[[], None]) -> None:
        """Somebody outside wants the call ended: stop it, and let the agent have an ``AbortError`` with that reason;
        ``then`` is done before that is committed. A timer stays: nothing in the agent could catch its error."""
        if call.settling or call.aborted or call.started.function == "timer":
            return
        call.aborted = True

        def settle() -> None:
            then()
            self._settle(call, Done(self._calls.aborted(call, reason)))

        self._end(call, settle)

    def _end(self, call: LiveCall, record: Callable[[], None]) -> None:
        assert self._group is not None
        task = self.stop(call)
        if task is None:
            record()
        else:
            ending = self._group.create_task(self._end_container(call, task, record))
            self._ending.add(ending)
            ending.add_done_callback(self._ended)

    def stop(self, call: LiveCall) -> asyncio.Task[None] | None:
        """Stop what a call is doing. The task when it takes its time: what is inside of the call is being recorded."""
        task = self._tasks.get(call.started.ordinal)
        if task is None:
            return None
        if call.container is not None:
            call.container.cancel()
            return task
        if call.question is None and self._run.actors.has_any(call.started.seq):
            # What a crash interrupted in it is still to be recorded as cancelled.
            call.ending = True
            return task
        # One that is cancelled before its first step never gets to take itself out.
        del self._tasks[call.started.ordinal]
        task.cancel()
        return None

    async def cancel(self, calls: Iterable[LiveCall]) -> list[tuple[LiveCall, Settled]]:
        """Stop calls and put that into the lane, to be committed with what comes next."""
        chosen = list(calls)
        # First all are stopped, and what is inside of them is recorded before they are.
        containers = [task for call in chosen if (task := self.stop(call)) is not None]
        # Containers that the agent gave up before may still be ending.
        if waited := [*containers, *self._ending]:
            await asyncio.wait(waited)
        return [(call, self._append_cancelled(call)) for call in chosen if not call.settling]

    async def _end_container(self, call: LiveCall, task: asyncio.Task[None], record: Callable[[], None]) -> None:
        await asyncio.wait([task])
        if not call.settling:
            record()

    def _ended(self, ending: asyncio.Task[None]) -> None:
        self._ending.discard(ending)
        self.wake.set()

    def _record_cancelled(self, call: LiveCall, then: Callable[[Settled], None]) -> None:
        settled = self._append_cancelled(call)
        self._lane.submit(lambda error: self._cancelled(call, settled, error))
        then(settled)

    def _append_cancelled(self, call: LiveCall) -> Settled:
        settled = self._calls.cancelled(call)
        self._lane.append_end(settled, call.number)
        return settled

    def inherit(self, started: Started, settled: Settled) -> None:
        """A call of the actor's parent was settled: it is given to this VM too, from this actor's own lane."""
        self._commit_settled(self._lane.append(settled), started, settled, (), lambda: None)

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def take_ready(self) -> Ready:
        """The first settlement in the lane that is durable and that nobody has taken yet."""
        self._undelivered.popleft()
        return self._ready.popleft()

    @property
    def is_committing(self) -> bool:
        """Whether a settlement is on its way into the lane."""
        return len(self._undelivered) > len(self._ready) or bool(self._ending)

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
        outside = not self._calls.is_container(call)
        self._run.in_flight += outside
        try:
            done = await self._calls.perform(call, self._lane.commit)
        except Unanswered as unanswered:
            call.question = unanswered.question
            self._run.observer.call_waits(unanswered.question)
            self.wake.set()
        except ContainerCancelled:
            return  # whoever cancelled it records that
        except Exception as error:
            self.committed(error)
        else:
            self._settle(call, done)
        finally:
            self._run.in_flight -= outside
            self._tasks.pop(call.started.ordinal, None)

    def _settle(self, call: LiveCall, done: Done) -> None:
        call.settling = True
        started, settled = call.started, done.settled
        told = partial(self._run.observer.call_ended, call.path, started, settled, False)
        self._commit_settled(self._lane.append_end(settled, call.number), started, settled, done.writes, told)

    def _commit_settled(
        self, number: int, started: Started, settled: Settled, writes: Iterable[Write], told: Callable[[], None]
    ) -> None:
        self._undelivered.append(number)

        def committed(error: BaseException | None) -> None:
            if error is None:
                self._ready.append((started, settled))
            self.committed(error)
            if error is None:
                told()

        alone = self._run.in_flight == 1 and len(self._undelivered) == 1
        self._lane.submit(committed, writes, alone=alone)

    def _cancelled(self, call: LiveCall, settled: Settled, error: BaseException | None) -> None:
        self.committed(error)
        if error is None:
            self._run.observer.call_ended(call.path, call.started, settled, False)
