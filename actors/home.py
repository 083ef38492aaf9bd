"""A run's home: where its numbers, its lease and its attendance are, for actors of it that live on other hosts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from chidori_actors.errors import StoreError
from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.actors import ActorMeta, actor_places
from chidori_actors.journal.lanes import RUN_LANES, Entry, Settled
from chidori_actors.journal.store import Write
from chidori_actors.languages.bundle import Bundle
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.children import closing_of
from chidori_actors.session.context import ActorRef, Closing, RunContext, Spawn, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.outcome import Rest

from .far_actor import FarActor
from .images import Images
from .portable_errors import portable
from .shipping import SentBundles, ShippedActor, ship_actor, ship_run, taken_spec


class HostLost(Exception):
    """An actor does not live on that host any more, which is gone or lets go of it. Its record is as it was."""


Life = tuple[str, int]
"""A run's id, and which of its lives on its home this is: what is said of an earlier one must not reach it."""


class Home:
    """Of one life of a run: ``run`` is its context, ``send`` tells a host something of it, ``spawn`` starts an actor.

    What hosts say comes to the methods named ``on_…``.
    """

    def __init__(
        self,
        run: RunContext,
        life: Life,
        send: Callable[..., None],
        bundles: Callable[[str], SentBundles],
        images: Images,
        spawn: Spawn,
    ) -> None:
        self.run = run
        self.life = life
        self.images = images
        self.spawn = spawn
        self._send = send
        self._bundles = bundles
        self._outposts: set[str] = set()
        self._actors: dict[int, RemoteActor] = {}
        self._last = 0
        self._requests: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._posted: dict[tuple[str, str], Question] = {}
        self._streams: dict[tuple[str, str], tuple[int, str | None]] = {}
        """What hosts stream, by its id: the prompt's number and type."""

    def start(self, host: str, spec: ActorSpec, lane: LaneWriter, closing: Closing, watcher: Watcher) -> "RemoteActor":
        """Let an actor live on another host."""
        run, bundles = self.run, self._bundles(host)
        send = partial(self._send, host)
        if host not in self._outposts:
            self._outposts.add(host)
            send("opened", ship_run(run, bundles))
        self._last += 1
        assert spec.meta is not None
        # One that begins anew may have started others.
        known = actor_places(run.store, lane.lane // RUN_LANES * RUN_LANES) if spec.past.length else ()
        actor = self._actors[self._last] = RemoteActor(self, host, self._last, spec.path, lane, closing, watcher)
        send("start", self._last, ship_actor(spec, run, lane.lane, lane.length, known, self.images.put, bundles))
        actor.follow_drain()
        return actor

    def tell(self, host: str, *message: Any) -> None:
        self._send(host, *message)

    def forget(self, number: int) -> None:
        self._actors.pop(number, None)

    async def lost(self, host: str) -> None:
        """A host is gone: its actors are ended here, with everything inside of them."""
        self._outposts.discard(host)
        for (asker, _), task in list(self._requests.items()):
            if asker == host:
                task.cancel()
        for asker, path in list(self._posted):
            if asker == host:
                self._withdraw(host, path)
        for streamer, stream_id in list(self._streams):
            if streamer == host:
                self.on_streamed(host, "prompt_end", stream_id, *self._streams[host, stream_id], "interrupted")
        gone = [actor for actor in self._actors.values() if actor.host == host]
        # All at once: one may be inside of another, which cannot end before it.
        await asyncio.gather(*(actor.lost() for actor in gone))

    def close(self) -> None:
        """The run has ended."""
        for host in self._outposts:
            self._send(host, "closed")
        for task in self._requests.values():
            task.cancel()

    # -- what actors elsewhere say ----------------------------------------------------------------------------------

    def on_need(self, host: str, calls: int, lanes: int) -> None:
        """Numbers for so many calls and so many lanes are wanted."""
        numbers = self.run.numbers
        seqs = [numbers.next_seq() for _ in range(calls)]
        self._send(host, "numbers", seqs, [numbers.next_lane() for _ in range(lanes)])

    def on_commit(
        self,
        host: str,
        number: int,
        entries: list[Entry],
        ended: dict[int, int],
        writes: list[Write],
        rest: Rest | None,
        last_ms: int,
        known_secrets: tuple[str, ...],
    ) -> None:
        self.run.last_ms = max(self.run.last_ms, last_ms)
        self.know_secrets(known_secrets)
        actor = self._actors.get(number)
        if actor is not None:
            actor.commit(entries, ended, writes, rest)

    def know_secrets(self, names: Iterable[str]) -> None:
        """Values of these variables were revealed elsewhere."""
        for name in names:
            self.run.services.secrets.know(name)

    def on_rested(self, host: str, number: int, rest: Rest) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.rested(rest)

    def on_broke(self, host: str, number: int, error: BaseException) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.broke(error)

    def on_stopped(self, host: str, number: int) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.stopped()

    def on_drained(self, host: str, number: int) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.drained_there()

    def on_watch(self, host: str, number: int, heard: int, questions: tuple[Question, ...] | None) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.watched(heard, questions)

    def on_observed(self, host: str, method: str, *args: Any) -> None:
        getattr(self.run.observer, method)(*args)

    def on_streamed(self, host: str, method: str, stream_id: str, seq: int, prompt_type: str | None, what: Any) -> None:
        if method == "prompt_end":
            self._streams.pop((host, stream_id), None)
        else:
            self._streams[host, stream_id] = seq, prompt_type
        getattr(self.run.services.events, method)(stream_id, seq, prompt_type, what)

    def on_taken_back(self, host: str, calls: int) -> None:
        self.run.events.taken_back(calls)

    # -- actors inside of them --------------------------------------------------------------------------------------

    def on_spawn(
        self, host: str, number: int, child: int, shipped: ShippedActor, writes: list[Write], bundle: Bundle
    ) -> None:
        """An actor that lives elsewhere starts another one."""
        if (actor := self._actors.get(number)) is not None:
            actor.spawn(child, shipped, writes, bundle)

    def on_child(self, host: str, number: int, child: int, action: str, *args: Any) -> None:
        if (actor := self._actors.get(number)) is not None:
            actor.child(child, action, *args)

    # -- questions --------------------------------------------------------------------------------------------------

    def on_post(self, host: str, question: Question) -> None:
        path = question.path
        self._posted[host, path] = question
        board = self.run.board
        assert board is not None
        board.post(question, lambda text: self._answered(path, text))
        if question.kind == "approval":
            self.run.approvals.wait(question, lambda text: self._answered(path, text))

    def _answered(self, path: str, text: str) -> None:
        of = path.rpartition("/")[0]
        for actor in self._actors.values():
            if actor.path == of:
                actor.answered(path, text)

    def on_withdraw(self, host: str, path: str) -> None:
        self._withdraw(host, path)

    def _withdraw(self, host: str, path: str) -> None:
        question = self._posted.pop((host, path), None)
        if question is not None:
            assert self.run.board is not None
            self.run.approvals.withdraw(question)
            self.run.board.withdraw(question)

    # -- requests ---------------------------------------------------------------------------------------------------

    def on_request(self, host: str, token: int, method: str, *args: Any) -> None:
        """Something is asked of the home that takes time."""
        self._begin(host, token, self._answer(host, token, getattr(self, f"_{method}"), *args))

    def on_lock_asking(self, host: str, token: int) -> None:
        """The same for the lock on questions, which is held until the request is dropped or its host is lost."""
        self._begin(host, token, self._hold_asking(host, token))

    def _begin(self, host: str, token: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._requests[host, token] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._requests.pop((host, token), None))

    def on_request_dropped(self, host: str, token: int) -> None:
        if (task := self._requests.get((host, token))) is not None:
            task.cancel()

    async def _answer(self, host: str, token: int, method: Callable[..., Awaitable[Any]], *args: Any) -> None:
        try:
            value = await method(host, *args)
        except Unanswered:
            self._send(host, "replied", token, None, True)
        except Exception as error:
            self._send(host, "replied", token, portable(error), False)
        else:
            self._send(host, "replied", token, value, False)

    async def _hold_asking(self, host: str, token: int) -> None:
        async with self.run.approvals.asking:
            self._send(host, "replied", token, None, False)
            await asyncio.Event().wait()

    async def _ask(self, host: str, question: Question) -> str:
        return await self.run.services.questions.ask(question)

    async def _decide(self, host: str, question: Question, answer: str) -> str:
        return await self.run.approvals.decide(question, answer)

    async def _mcp_tools(self, host: str, server: str) -> Any:
        assert self.run.mcp is not None
        return await self.run.mcp.tools(server)

    async def _mcp_call(self, host: str, name: str, arguments: dict[str, Any]) -> bytes:
        assert self.run.mcp is not None
        return await self.run.mcp.call(name, arguments)


class RemoteActor:
    """An ``ActorRef`` to an actor on another host, which is ``number`` of its run."""

    def __init__(
        self, home: Home, host: str, number: int, path: str, lane: LaneWriter, closing: Closing, watcher: Watcher
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
        self._drain: asyncio.Task[None] | None = None

    async def wait(self) -> Rest:
        try:
            return await self._far.wait()
        except HostLost:
            run = self._home.run
            await run.store.flush()
            run.actors.reread(self.path, actor_places(run.store, self._lane.lane // RUN_LANES * RUN_LANES))
            raise
        finally:
            self._home.forget(self._number)
            if self._drain is not None:
                self._drain.cancel()

    def cancel(self, reason: str | None = None) -> None:
        self._tell("cancel", self._number, reason)

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

    def follow_drain(self) -> None:
        """Take part when the run is drained."""
        self._drain = asyncio.create_task(self._follow_drain())

    async def _follow_drain(self) -> None:
        drain = self._home.run.drain
        with drain.actor(self._wake):
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
        self.broke(HostLost(self.host))

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
            self._tell("child_rested", child, task.result(), ended, run.numbers.index, known)
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
        self.broke(HostLost(self.host))


class _ChildWatch:
    def __init__(self, tell: Callable[[tuple[Question, ...] | None], None]) -> None:
        self._tell = tell

    def rests(self, questions: tuple[Question, ...]) -> None:
        self._tell(questions)

    def goes_on(self) -> None:
        self._tell(None)
