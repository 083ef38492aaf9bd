"""An actor that lives on another host, as its run's home sees it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from chidori_actors.errors import StoreError
from chidori_actors.host.function import Question
from chidori_actors.journal.actors import ActorMeta
from chidori_actors.journal.lanes import Entry, Settled
from chidori_actors.journal.store import Write
from chidori_actors.languages.bundle import Bundle
from chidori_actors.session.children import closing_of
from chidori_actors.session.context import ActorRef, Closing, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.live_parts import Part
from chidori_actors.session.outcome import Rest

from .far_actor import FarActor
from .portable_errors import portable
from .shipping import ShippedActor, taken_spec

if TYPE_CHECKING:
    from .home import Home


class HostLost(Exception):
    """An actor does not live on that host any more, which ``died`` or lets go of it. Its record is as it was."""

    def __init__(self, host: str, *, died: bool) -> None:
        super().__init__(host)
        self.died = died


class RemoteActor:
    """An ``ActorRef`` to an actor on another host, which is ``number`` of its run."""

    def __init__(
        self, home: "Home", host: str, number: int, path: str, lane: LaneWriter, closing: Closing, watcher: Watcher
    ) -> None:
        self.host = host
        self.path = path
        self._home = home
        self._tell = partial(home.tell, host)
        self._number = number
        self._lane = lane
        self._closing = closing
        self._far = FarActor(partial(self._tell, "stop", number), watcher)
        self.watched = self._far.watched
        self.broke = self._far.broke
        self._children: dict[int, ActorRef] = {}
        self._heard: dict[int, int] = {}
        """How much of what may let them go on its children were told."""
        self._early: dict[int, list[tuple[str, tuple[Any, ...]]]] = {}
        """What its children were told before they were there."""
        self._waits: dict[int, asyncio.Task[Rest]] = {}
        self._inside: set[int] = set()
        """The numbers of its calls that have, or had, actors inside."""
        self._wake = asyncio.Event()
        self._parked = asyncio.Event()

    async def wait(self) -> Rest:
        run = self._home.run
        try:
            # Not in the task that follows: a drain that begins in this turn of the loop is to wait for this actor.
            with run.drain.actor(self._wake):
                following = asyncio.create_task(self._follow_drain())
                try:
                    return await self._far.wait()
                finally:
                    following.cancel()
        except HostLost:
            await run.store.flush()
            run.actors.reread(self.path, self._home.stored_lanes(self._lane.lane))
            raise
        finally:
            self._home.forget(self._number)

    def cancel(self, reason: str | None = None) -> None:
        self._tell("cancel", self._number, reason)

    def abort(self, part: Part, reason: str) -> None:
        self._home.run.parts.abort(part, reason)

    async def drained(self) -> None:
        await self._home.run.drain.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        self._far.wake_up()
        self._tell("inherit", self._number, key, settled)

    def answered(self, path: str, text: str) -> None:
        """Somebody answered the question of its call at ``path``."""
        self._far.wake_up()
        self._tell("answered", self._number, path, text)

    # -- draining ---------------------------------------------------------------------------------------------------

    async def _follow_drain(self) -> None:
        drain = self._home.run.drain
        if not drain.is_on:
            await self._wake.wait()
        self._tell("drain", self._number)
        await self._parked.wait()
        while True:  # it is woken by each that drains the run
            self._wake.clear()
            drain.park(self._wake, True)
            await self._wake.wait()

    def drained_there(self) -> None:
        self._parked.set()

    # -- what it says -----------------------------------------------------------------------------------------------

    def commit(self, entries: Iterable[Entry], ended: dict[int, int], writes: list[Write], rest: Rest | None) -> None:
        numbers = self._home.run.numbers
        for entry in entries:
            if isinstance(entry, Settled) and not entry.index:
                entry = replace(entry, index=numbers.next_index())
            started = ended.get(self._lane.length)
            if started is not None and isinstance(entry, Settled):
                self._lane.append_end(entry, started)
            else:
                self._lane.append(entry)
        if rest is not None:
            writes = [*writes, *self._closing(rest)]

        def done(error: BaseException | None) -> None:
            told = portable(error) if isinstance(error, Exception) else error
            self._tell("committed", self._number, told, numbers.index)

        try:
            self._lane.submit(done, writes)
        except (StoreError, ValueError) as error:  # the store was closed, or cannot hold such a key
            done(error)

    def rested(self, rest: Rest) -> None:
        for seq in self._inside:
            self._home.run.actors.forget(seq)
        self._far.rested(rest)

    def stopped(self) -> None:
        """It does not live there any more: it was told so, or its host lets go of all."""
        self.broke(HostLost(self.host, died=False))

    # -- actors inside of it ----------------------------------------------------------------------------------------

    def spawn(self, child: int, shipped: ShippedActor, writes: list[Write], bundle: Bundle) -> None:
        self._home.run.actors.put(shipped.meta)
        self._home.know_secrets(shipped.known_secrets)
        self._inside.add(shipped.meta.parent_seq)
        self._early[child] = []
        self._heard[child] = 0
        task = self._waits[child] = asyncio.create_task(self._live(child, shipped, writes, bundle))
        # Not in the task: one that is cancelled before its first step does nothing at all.
        task.add_done_callback(partial(self._left, child, shipped.meta))

    async def _live(self, child: int, shipped: ShippedActor, writes: list[Write], bundle: Bundle) -> Rest:
        run = self._home.run
        spec = taken_spec(shipped, bundle, await self._home.images.of(shipped.origin))
        lane = run.lane_writer(shipped.lane, shipped.length)
        lane.attach(writes)
        watcher = _ChildWatch(lambda questions: self._tell("child_watch", child, self._heard[child], questions))
        closing = closing_of(run, shipped.meta)
        ref = self._children[child] = self._home.spawn(spec, run, lane, closing, watcher)
        for action, args in self._early.pop(child):
            self.child(child, action, *args)
        return await ref.wait()

    def _left(self, child: int, meta: ActorMeta, task: asyncio.Task[Rest]) -> None:
        """An actor inside of it lives no more."""
        run = self._home.run
        if task.cancelled():
            self._tell("child_stopped", child)
        elif isinstance(error := task.exception(), Exception):
            self._tell("child_broke", child, portable(error))
        else:
            ended, known = run.actors.find(meta.parent_seq, meta.index), run.services.secrets.known
            self._tell("child_rested", child, task.result(), ended, run.numbers.index, run.last_ms, known)
        self._early.pop(child, None)
        self._children.pop(child, None)
        del self._heard[child], self._waits[child]

    def child(self, child: int, action: str, *args: Any) -> None:
        if action == "stop":
            if (task := self._waits.get(child)) is not None:
                task.cancel()
        elif (ref := self._children.get(child)) is not None:
            if action == "inherit":
                self._heard[child] += 1
            getattr(ref, action)(*args)
        elif (early := self._early.get(child)) is not None:
            early.append((action, args))

    async def lost(self) -> None:
        """Its host is gone; what is inside of it is stopped before anybody starts it anew."""
        waits = list(self._waits.values())
        for task in waits:
            task.cancel()
        if waits:
            await asyncio.wait(waits)
        self.broke(HostLost(self.host, died=True))


class _ChildWatch:
    def __init__(self, tell: Callable[[tuple[Question, ...] | None], None]) -> None:
        self._tell = tell

    def rests(self, questions: tuple[Question, ...]) -> None:
        self._tell(questions)

    def goes_on(self) -> None:
        self._tell(None)
