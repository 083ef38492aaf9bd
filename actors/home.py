"""A run's home: where its numbers, its lease and its attendance are, for actors of it that live on other hosts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.actors import actor_places
from chidori_actors.journal.lanes import RUN_LANES, Entry
from chidori_actors.journal.store import Write
from chidori_actors.languages.bundle import Bundle
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import Closing, RunContext, Spawn, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.outcome import Rest
from chidori_actors.session.run_actors import Lanes, lanes_of

from .images import Images
from .portable_errors import portable
from .remote_actor import RemoteActor
from .shipping import SentBundles, ShippedActor, ship_actor, ship_run

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
        self._stored: Lanes | None = None
        self._requests: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._posted: dict[tuple[str, str], Question] = {}
        self._streams: dict[tuple[str, str], tuple[int, str | None]] = {}
        """What hosts stream, by its id: the prompt's number and type."""

    def start(self, host: str, spec: ActorSpec, lane: LaneWriter, closing: Closing, watcher: Watcher) -> RemoteActor:
        """Let an actor live on another host."""
        run, bundles = self.run, self._bundles(host)
        send = partial(self._send, host)
        if host not in self._outposts:
            self._outposts.add(host)
            run.parts.elsewhere[host] = partial(send, "abort")
            send("opened", ship_run(run, bundles))
        self._last += 1
        # One that begins anew may have started others, inside of calls that have not settled.
        known = run.actors.lanes(started.seq for started in spec.past.started.values())
        actor = self._actors[self._last] = RemoteActor(self, host, self._last, spec.path, lane, closing, watcher)
        send("start", self._last, ship_actor(spec, run, lane.lane, lane.length, known, self.images.put, bundles))
        return actor

    def stored_lanes(self, lane: int) -> Lanes:
        """What the store has of the run's actors, one of which writes that lane. Read once in a turn of the loop, for
        all that begin anew together."""
        if self._stored is None:
            self._stored = lanes_of(actor_places(self.run.store, lane // RUN_LANES * RUN_LANES))
            asyncio.get_running_loop().call_soon(self._forget_stored)
        return self._stored

    def _forget_stored(self) -> None:
        self._stored = None

    def tell(self, host: str, *message: Any) -> None:
        self._send(host, *message)

    def forget(self, number: int) -> None:
        self._actors.pop(number, None)

    async def lost(self, host: str) -> None:
        """A host is gone: its actors are ended here, with everything inside of them."""
        self._outposts.discard(host)
        self.run.parts.elsewhere.pop(host, None)
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
        self._begin(host, token, self._hold(host, token, self.run.approvals.asking))

    def on_take_room(self, host: str, token: int, count: int, had_before: bool) -> None:
        """The same for room for actors."""
        self._begin(host, token, self._hold(host, token, self.run.room.taken(count, had_before=had_before)))

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

    async def _hold(self, host: str, token: int, held: AbstractAsyncContextManager[None]) -> None:
        try:
            async with held:
                self._send(host, "replied", token, None, False)
                await asyncio.Event().wait()
        except Exception as error:
            self._send(host, "replied", token, portable(error), False)

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
