"""Actors that live on this host although their run is at home on another."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from chidori_actors.assembly import refusal_by
from chidori_actors.host.function import HostServices, PromptEvents, Question, Unanswered
from chidori_actors.host.resources import Resources
from chidori_actors.host.secrets import Secrets
from chidori_actors.host.table import host_functions
from chidori_actors.host.toolbox import Toolbox
from chidori_actors.journal.actors import ActorMeta
from chidori_actors.journal.lanes import Settled
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.store import Store
from chidori_actors.languages.bundle import Bundle
from chidori_actors.placement.system import ActorSystem
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.live_parts import Part
from chidori_actors.session.observer import Observer
from chidori_actors.session.outcome import Rest
from chidori_actors.session.run_actors import RunActors
from chidori_actors.templates import template_reader

from .images import Images
from .lent import LentLaneWriter, LentNumbers, Tell
from .lodger import Lodger
from .relayed import RelayedApprovals, RelayedBoard, RelayedEvents, RelayedMcp, RelayedRef, RelayedRoom, Told
from .shipping import SentBundles, ShippedActor, ShippedRun, ship_actor


class _NobodyAnswers(Exception):
    """The home has nobody who could answer a question now."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What the actors of all runs that live on a host share."""

    store: Store
    resources: Resources
    system: ActorSystem
    images: Images


class Outpost:
    """The actors of one run that live here. ``tell`` tells the home something; what it says comes to ``on_…``. One that
    is ``leaving`` takes none."""

    def __init__(
        self,
        run_id: str,
        shipped: ShippedRun,
        bundle: Bundle,
        premises: Premises,
        bundles: SentBundles,
        tell: Tell,
        *,
        leaving: bool,
    ) -> None:
        self.tell = tell
        self.premises = premises
        self._bundles = bundles
        self._numbers = LentNumbers(tell)
        self._actors: dict[int, Lodger] = {}
        self._lanes: dict[int, int] = {}
        self._children: dict[int, RelayedRef] = {}
        self._last_child = 0
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._last_request = 0
        self._answers: dict[str, Callable[[str], None]] = {}
        self._leaving = leaving
        self._closed = False
        self.run = self._context(run_id, shipped, bundle)

    def _context(self, run_id: str, shipped: ShippedRun, bundle: Bundle) -> RunContext:
        policy, store = shipped.policy, self.premises.store
        approvals = RelayedApprovals(self, store, run_id)
        secrets = Secrets(shipped.settings.environ, shipped.seed, policy.hosts_for)
        observer = cast(Observer, Told(self.tell, "observed"))
        mcp = None if shipped.mcp is None else RelayedMcp(shipped.mcp, self)
        services = HostServices(
            settings=shipped.settings,
            run_id=run_id,
            default_model=shipped.default_model,
            questions=self,
            events=cast(PromptEvents, Told(self.tell, "streamed")),
            memory=StoredMemory(store),
            secrets=secrets,
            refusal=refusal_by(policy, approvals),
            read_template=template_reader(bundle, shipped.folder),
            resources=self.premises.resources,
            tools=Toolbox(bundle.tools, bundle.broken_tools, mcp),
            noted=observer.noted,
        )
        return RunContext(
            run_id=run_id,
            store=store,
            policy=policy,
            functions=host_functions(),
            services=services,
            observer=observer,
            spawn=self._spawn,
            actors=RunActors(store, ()),
            bundle=bundle,
            mcp=mcp,
            root=shipped.root,
            folder=shipped.folder,
            seed=shipped.seed,
            runtime_policy=shipped.runtime_policy,
            image_every=shipped.image_every,
            events=RelayedEvents(self.tell),
            numbers=self._numbers,
            lane_writer=self._lane_writer,
            approvals=approvals,
            room=RelayedRoom(self),
            board=RelayedBoard(self.tell, self._answers) if shipped.has_board else None,
            attempt=shipped.attempt,
            waiting=shipped.waiting,
        )

    async def evacuate(self) -> None:
        """Let its actors settle what they do, then let go of them: the home starts them anew elsewhere."""
        self._leaving = True
        await self.run.drain.drained()
        if self._children:
            # What is inside of them would be stopped in the middle of its calls, so the whole run moves.
            self.tell("move")
            await asyncio.wait([actor.task for actor in self._actors.values()])
        else:
            await self._stop()

    async def _stop(self) -> None:
        actors = list(self._actors.values())
        for actor in actors:
            actor.stop()
        if actors:
            await asyncio.wait([actor.task for actor in actors])

    async def close(self) -> None:
        """End all of its actors as they are: their home is gone, or has ended, and nobody waits for them."""
        self._closed = True
        for actor in self._actors.values():
            actor.stop()
        # The home can tell of nothing any more.
        for child in self._children.values():
            child.far.stopped()
        await self._stop()

    # -- what the home says -----------------------------------------------------------------------------------------

    def on_start(self, number: int, shipped: ShippedActor, bundle: Bundle) -> None:
        if self._leaving:
            self.tell("stopped", number)
            return
        run = self.run
        self._numbers.know(shipped.seq, shipped.index)
        run.last_ms = max(run.last_ms, shipped.last_ms)
        run.actors.reread(shipped.path, shipped.known)
        self._know_secrets(shipped.known_secrets)
        lane = self._lane_writer(shipped.lane, shipped.length)
        lane.number = number
        self._lanes[shipped.lane] = number
        self._actors[number] = Lodger(self, shipped, bundle, lane)

    def _know_secrets(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.run.services.secrets.know(name)

    def on_cancel(self, number: int, reason: str | None) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.do(lambda ref: ref.cancel(reason))

    def on_abort(self, part: Part, reason: str) -> None:
        self.run.parts.abort(part, reason)

    def on_inherit(self, number: int, key: int, settled: Settled | None) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.wake_up(lambda ref: ref.inherit(key, settled))

    def on_stop(self, number: int) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.stop()

    def on_drain(self, number: int) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.drain()

    def on_committed(self, number: int, error: BaseException | None, index: int) -> None:
        self._numbers.know(0, index)
        if (actor := self._actors.get(number)) is not None:
            actor.lane.committed(error)

    def on_numbers(self, seqs: list[int], lanes: list[int]) -> None:
        self._numbers.take(seqs, lanes)

    def on_answered(self, number: int, path: str, text: str) -> None:
        answered = self._answers.pop(path, None)
        if (actor := self._actors.get(number)) is not None:
            actor.answer(lambda: None if answered is None else answered(text))

    def on_replied(self, token: int, value: Any, unanswered: bool) -> None:
        request = self._requests.get(token)
        if request is None or request.done():
            return
        if unanswered:
            request.set_exception(_NobodyAnswers())
        elif isinstance(value, BaseException):
            request.set_exception(value)
        else:
            request.set_result(value)

    def on_child_watch(self, child: int, heard: int, questions: tuple[Question, ...] | None) -> None:
        if (ref := self._children.get(child)) is not None:
            ref.far.watched(heard, questions)

    def on_child_rested(
        self, child: int, rest: Rest, meta: ActorMeta, index: int, last_ms: int, known_secrets: tuple[str, ...]
    ) -> None:
        self._numbers.know(0, index)
        self.run.last_ms = max(self.run.last_ms, last_ms)
        self._know_secrets(known_secrets)
        if (ref := self._children.pop(child, None)) is not None:
            self.run.actors.put(meta)
            ref.far.rested(rest)

    def on_child_broke(self, child: int, error: BaseException) -> None:
        if (ref := self._children.pop(child, None)) is not None:
            ref.far.broke(error)

    def on_child_stopped(self, child: int) -> None:
        if (ref := self._children.pop(child, None)) is not None:
            ref.far.stopped()

    # -- for its actors ---------------------------------------------------------------------------------------------

    async def request(self, method: str, *args: Any) -> Any:
        """Ask the home for something that takes time.

        Raises:
            Exception: what was raised there.
        """
        return await self._reply(self._new_token(), "request", method, *args)

    async def hold(self, what: str, *args: Any) -> int:
        """Implements ``Asks``: it is held for as long as the request stands."""
        token = self._new_token()
        await self._reply(token, what, *args)
        return token

    def let_go(self, token: int) -> None:
        """Give it free."""
        self.tell("request_dropped", token)

    def _new_token(self) -> int:
        self._last_request += 1
        return self._last_request

    async def _reply(self, token: int, kind: str, *args: Any) -> Any:
        reply = self._requests[token] = asyncio.get_running_loop().create_future()
        self.tell(kind, token, *args)
        try:
            return await reply
        except asyncio.CancelledError:
            self.tell("request_dropped", token)
            raise
        finally:
            del self._requests[token]

    async def ask(self, question: Question) -> str:
        """Implements ``Questions``."""
        try:
            return cast(str, await self.request("ask", question))
        except _NobodyAnswers:
            raise Unanswered(question) from None

    def _lane_writer(self, lane: int, length: int) -> LentLaneWriter:
        return LentLaneWriter(lane, length, self.tell, lambda: (self.run.last_ms, self.run.services.secrets.known))

    def _spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        """Let the home start an actor for one that lives here; it knows what belongs to its end."""
        assert watcher is not None
        assert spec.meta is not None
        assert isinstance(lane, LentLaneWriter)
        self._last_child += 1
        child, parent = self._last_child, self._lanes[spec.meta.parent_lane]
        shipped = ship_actor(spec, run, lane.lane, lane.length, {}, self.premises.images.put, self._bundles)
        self.tell("spawn", parent, child, shipped, lane.begun())
        ref = self._children[child] = RelayedRef(partial(self.tell, "child", parent, child), run, watcher)
        if self._closed:  # whoever starts it is being stopped, and the home hears nothing
            ref.far.stopped()
        return ref

    def left(self, lane: LentLaneWriter) -> None:
        """The actor that writes this lane lives here no more."""
        del self._actors[lane.number], self._lanes[lane.lane]
