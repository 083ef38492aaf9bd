"""The actors inside of one call: started, awaited, cancelled and started again alike, whatever they run."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from ..errors import ChidoriError
from ..host.function import Question
from ..journal.actors import ActorMeta, actor_writes
from ..journal.lanes import Retried, Settled, last_counters
from ..journal.store import Write
from .actor_spec import ActorSpec
from .context import ActorRef, Closing, RunContext
from .outcome import Cancelled, Completed, Failed, Rest
from .past import Past, load_past

Outcome = Completed | Failed


class ContainerCancelled(Exception):
    """The call was cancelled; everything inside of it has ended and is recorded."""


class ChildFailed(Exception):
    """The actor of that index failed, so the others were cancelled."""

    def __init__(self, index: int, failed: Failed) -> None:
        super().__init__(failed.error.get("message", ""))
        self.index = index
        self.failed = failed


class Plan(Protocol):
    """What the actors of one call run."""

    @property
    def count(self) -> int: ...

    def describe(self, index: int, lane: int) -> tuple[ActorMeta, list[Write]]:
        """A new actor, and what has to be stored with it."""
        ...

    def with_source(self, meta: ActorMeta) -> tuple[ActorMeta, list[Write]]:
        """An actor whose source was to be found anew, and what has to be stored of that."""
        ...

    def spec(self, meta: ActorMeta, past: Past) -> ActorSpec: ...

    def settled(self) -> Iterable[tuple[int, Settled | None]]:
        """The calls of the parent, by their keys in the actors, that were settled since these were planned."""
        ...


class ChildGroup:
    """Runs the actors of one call, at most ``limit`` at once. With ``all_needed`` the first failure ends the others.

    ``changed`` is told whenever ``resting`` or ``questions`` may have changed.
    """

    def __init__(
        self,
        run: RunContext,
        seq: int,
        plan: Plan,
        limit: int,
        golden: str,
        all_needed: bool,
        changed: Callable[[], None],
    ) -> None:
        self._run = run
        self._seq = seq
        self._plan = plan
        self._limit = limit
        self._golden = golden
        self._all_needed = all_needed
        self._changed = changed
        self._waiting: deque[int] = deque()
        self._lanes: dict[int, int] = {}
        self._running: dict[int, ActorRef] = {}
        self._resting: dict[int, tuple[Question, ...]] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._failed = False
        self._cancelled = False

    @property
    def resting(self) -> bool:
        """Whether nothing in here can go on by itself."""
        if self._failed or self._cancelled:
            return False  # it is ending
        full = not self._waiting or len(self._running) == self._limit
        return bool(self._running) and full and len(self._resting) == len(self._running)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that the actors wait for."""
        return tuple(question for asked in self._resting.values() for question in asked)

    async def run(self) -> list[Outcome]:
        """Each actor's end, in order; those that ended before a crash are not run again.

        Raises:
            ContainerCancelled: ``cancel`` was called.
            ChildFailed: one failed, and all were needed; of several the one that came first.
        """
        for index in range(self._plan.count):
            known = self._run.actors.find(self._seq, index)
            ended = None if known is None else _outcome(known)
            if ended is None:
                self._waiting.append(index)
            else:
                self._note(index, ended)
        await self._take_lanes()
        # What was settled first is seen first again, so that of several failures the same one is the first.
        self._waiting = deque(sorted(self._waiting, key=self._last_settled))
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    while len(self._running) < self._limit and (started := self._start_next()) is not None:
                        group.create_task(self._run_some(started))
                except Exception:
                    # A task that is cancelled before its first step would leave an actor that nobody stops.
                    await asyncio.sleep(0)
                    raise
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if self._cancelled:
            raise ContainerCancelled
        if self._failed:
            raise self._first_failure()
        return [self._outcomes[index] for index in range(self._plan.count)]

    async def _take_lanes(self) -> None:
        # All at once: those that start late would find that another group has had what was made ready for them.
        new = [index for index in self._waiting if self._run.actors.find(self._seq, index) is None]
        await self._run.numbers.make_ready(lanes=len(new))
        self._lanes = {index: self._run.numbers.next_lane() for index in new}

    def cancel(self) -> None:
        """End every actor, recorded as cancelled; ``run`` then raises."""
        self._cancelled = True
        self._stop()

    def inherit(self, key: int, settled: Settled | None) -> None:
        """A call of the parent, ``key`` in the actors, was settled; None: it never will be."""
        for ref in self._running.values():
            ref.inherit(key, settled)

    def _note(self, index: int, ended: Outcome) -> None:
        self._outcomes[index] = ended
        if isinstance(ended, Failed) and self._all_needed and not self._failed:
            self._failed = True
            self._stop()

    def _stop(self) -> None:
        for ref in self._running.values():
            ref.cancel()

    def _start_next(self) -> tuple[int, ActorRef] | None:
        """Start one of the actors that wait; None when none is left."""
        while self._waiting:
            index = self._waiting.popleft()
            ending = self._failed or self._cancelled
            # What a crash interrupted is still to be recorded as cancelled, so it is started only to be ended.
            if ending and not self._is_interrupted(index):
                continue
            ref = self._running[index] = self._spawn(index)
            if ending:
                ref.cancel()
            return index, ref
        return None

    async def _run_some(self, started: tuple[int, ActorRef] | None) -> None:
        """Wait for that actor, and run one after the other of those that wait in its place."""
        while started is not None:
            index, ref = started
            rest = await self._end_of(index, ref)
            del self._running[index]
            self._resting.pop(index, None)
            if isinstance(rest, Completed | Failed):
                self._note(index, rest)
            # In the same step as the wait for it: whoever stops this task stops that actor, too.
            started = self._start_next()
            self._changed()

    def _last_settled(self, index: int) -> float:
        """The run-wide index of the last settlement that an actor was given before a crash; new ones come last."""
        meta = self._run.actors.find(self._seq, index)
        return math.inf if meta is None else last_counters(self._run.store, meta.lane)[1]

    def _is_interrupted(self, index: int) -> bool:
        meta = self._run.actors.find(self._seq, index)
        return meta is not None and meta.status == "running"

    async def _end_of(self, index: int, ref: ActorRef) -> Rest:
        try:
            return await ref.wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            known = self._run.actors.find(self._seq, index)
            assert known is not None
            raise cancelled_from_within(known.path) from None

    def _first_failure(self) -> ChildFailed:
        def ended(index: int) -> int:
            meta = self._run.actors.find(self._seq, index)
            return 0 if meta is None or meta.ended is None else meta.ended

        failures = {index: end for index, end in self._outcomes.items() if isinstance(end, Failed)}
        first = min(failures, key=ended)
        return ChildFailed(first, failures[first])

    def _spawn(self, index: int) -> ActorRef:
        run = self._run
        meta = run.actors.find(self._seq, index)
        if meta is None:
            meta, writes = self._plan.describe(index, self._lanes[index])
            past = Past()
            lane = run.lane_writer(meta.lane, 0)
            lane.attach([*writes, *actor_writes(meta)])
        else:
            past = load_past(run.store, meta.lane, self._golden)
            for reason in past.rejected:
                run.observer.warned(reason)
            lane = run.lane_writer(meta.lane, past.length)
            if meta.status == "cancelled":
                # The call that contains it is made again after all, and with it what was in flight.
                kept = {ordinal: settled for ordinal, settled in past.settled.items() if settled.delivered}
                run.events.taken_back(len(past.settled) - len(kept))
                past.settled = kept
                lane.append(Retried(0, run.now_ms()))
                meta = replace(meta, status="running", ended=None)
                lane.attach(actor_writes(meta))
            if meta.bundle is None:
                meta, writes = self._plan.with_source(meta)
                lane.attach(writes)
        run.last_ms = max(run.last_ms, past.last_ms)
        run.actors.put(meta)
        spec = self._plan.spec(meta, past)
        ref = run.spawn(spec, run, lane, closing_of(run, meta), _Watch(self, index))
        for key, settled in self._plan.settled():
            ref.inherit(key, settled)
        return ref

    def rests(self, index: int, questions: tuple[Question, ...] | None) -> None:
        """An actor rests with ``questions``, or goes on (None)."""
        if questions is None:
            self._resting.pop(index, None)
        else:
            self._resting[index] = questions
        self._changed()


def cancelled_from_within(path: str) -> ChidoriError:
    """A library inside of that actor has cancelled the actor; nobody wanted that, and nothing of it is recorded."""
    return ChidoriError(
        f"actor {path} was cancelled from within", hint="`chidori resume` goes on with the run from its record"
    )


def closing_of(run: RunContext, begun: ActorMeta) -> Closing:
    """What belongs to the end of an actor that another one of the run started."""

    def closing(rest: Rest) -> list[Write]:
        meta = replace(begun, ended=run.numbers.next_index(), seq=run.numbers.seq)
        if isinstance(rest, Completed):
            meta = replace(meta, status="completed", output=rest.output)
        elif isinstance(rest, Failed):
            meta = replace(meta, status="failed", error=rest.error, failed_ordinal=rest.call)
        elif isinstance(rest, Cancelled):
            meta = replace(meta, status="cancelled")
        run.actors.put(meta)
        return actor_writes(meta)

    return closing


class _Watch:
    """Tells the group of one of its actors."""

    def __init__(self, group: ChildGroup, index: int) -> None:
        self._group = group
        self._index = index

    def rests(self, questions: tuple[Question, ...]) -> None:
        self._group.rests(self._index, questions)

    def goes_on(self) -> None:
        self._group.rests(self._index, None)


def _outcome(meta: ActorMeta) -> Outcome | None:
    if meta.status == "completed":
        return Completed(meta.output or b"null")
    if meta.status == "failed":
        return Failed(dict(meta.error or {}), meta.failed_ordinal)
    return None
