"""An actor that lives on this host although its run is at home on another."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from chidori_actors.host.function import Question
from chidori_actors.languages.bundle import Bundle
from chidori_actors.session.children import cancelled_from_within
from chidori_actors.session.context import ActorRef
from chidori_actors.session.outcome import Rest

from .lent import LentLaneWriter, Tell
from .portable_errors import portable
from .shipping import ShippedActor, taken_spec

if TYPE_CHECKING:
    from .outpost import Outpost


class Lodger:
    """One actor of an outpost."""

    def __init__(self, outpost: "Outpost", shipped: ShippedActor, bundle: Bundle, lane: LentLaneWriter) -> None:
        self._outpost = outpost
        self.lane = lane
        self._path = shipped.path
        self.heard = 0
        self._watch = _Watch(outpost.tell, self)
        self._ref: ActorRef | None = None
        self._early: list[Callable[[ActorRef], None]] = []
        self._draining: asyncio.Task[None] | None = None
        self._stopped = False
        self.task = asyncio.create_task(self._live(shipped, bundle))
        # Not in the task: one that is cancelled before its first step does nothing at all.
        self.task.add_done_callback(self._left)

    def stop(self) -> None:
        """Let go of it; its record stays as it is."""
        self._stopped = True
        self.task.cancel()

    def do(self, action: Callable[[ActorRef], None]) -> None:
        """Do that with the actor, as soon as it is there."""
        if self._ref is None:
            self._early.append(action)
        else:
            action(self._ref)

    def wake_up(self, action: Callable[[ActorRef], None]) -> None:
        """The same for what may let it go on; its next word on whether it rests says that it has heard this."""

        def heard(ref: ActorRef) -> None:
            self.heard += 1
            action(ref)

        self.do(heard)

    def answer(self, action: Callable[[], None]) -> None:
        """The same for an answer, which may come too late: then it still rests, and nobody believes that now."""
        self.wake_up(lambda ref: action())
        self.do(lambda ref: self._watch.again())

    def drain(self) -> None:
        """Let it make no more calls, and tell when those under way do nothing but wait."""
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        await self._outpost.run.drain.drained()
        self._outpost.tell("drained", self.lane.number)

    async def _live(self, shipped: ShippedActor, bundle: Bundle) -> Rest:
        premises, run = self._outpost.premises, self._outpost.run
        spec = taken_spec(shipped, bundle, await premises.images.of(shipped.origin))
        self._ref = premises.system.spawn(spec, run, self.lane, self.lane.ending, self._watch)
        for action in self._early:
            action(self._ref)
        return await self._ref.wait()

    def _left(self, task: asyncio.Task[Rest]) -> None:
        outpost, number = self._outpost, self.lane.number
        if task.cancelled():
            if self._stopped:
                outpost.tell("stopped", number)
            else:
                outpost.tell("broke", number, cancelled_from_within(self._path))
        elif isinstance(error := task.exception(), Exception):
            outpost.tell("broke", number, portable(error))
        else:
            outpost.tell("rested", number, task.result())
        if self._draining is not None:
            self._draining.cancel()
        outpost.left(self.lane)


class _Watch:
    """Tells the home whether the actor rests."""

    def __init__(self, tell: Tell, actor: Lodger) -> None:
        self._tell = tell
        self._actor = actor
        self._questions: tuple[Question, ...] | None = None

    def rests(self, questions: tuple[Question, ...]) -> None:
        self._questions = questions
        self.again()

    def goes_on(self) -> None:
        self._questions = None
        self.again()

    def again(self) -> None:
        """Say how it stands."""
        self._tell("watch", self._actor.lane.number, self._actor.heard, self._questions)
