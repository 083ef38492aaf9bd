"""Homes and outposts of runs, told one by one what hosts say to one another."""

import asyncio
import pickle
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import ray.exceptions

from actors.home import Home
from actors.images import Images
from actors.link import Links, Message
from actors.portable_errors import portable
from actors.references import dumps, loads
from chidori_actors.session import live_actors
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef, RunContext
from chidori_actors.session.live_actors import NoRoom, OwnRoom
from chidori_actors.session.live_parts import LiveParts
from tests.support.agents import RecordingObserver, output_of, start, within, write_agent
from tests.support.gate import gate

from .staged_hosts import ASKS, HANGS_AFTER_S, HostImages, Stage, branches, ended, staged, until


async def test_an_actor_that_is_started_and_stopped_at_once_lets_its_run_end(tmp_path: Path) -> None:
    path = write_agent(tmp_path, branches("await chidori.log('never');"))
    async with staged(tmp_path, "b") as stage:
        stage.hosts.by_hand = True
        running = asyncio.create_task(start(stage.runtime, path))
        await until(lambda: bool(stage.hosts.heard("start")))
        running.cancel()
        await until(lambda: bool(stage.hosts.heard("stop")))
        stage.hosts.by_hand = False
        stage.hosts.deliver()
        await ended(running)
        assert stage.hosts.live_vms == 0


async def test_an_inner_actor_that_is_started_and_stopped_at_once_lets_its_run_end(tmp_path: Path) -> None:
    path = write_agent(tmp_path, branches("await chidori.parallel([async () => { await chidori.log('never'); }]);"))
    async with staged(tmp_path, "b", "c") as stage:
        hosts = stage.hosts
        hosts.by_hand = True
        running = asyncio.create_task(start(stage.runtime, path))

        def reached(method: str) -> bool:
            if hosts.heard(method):
                return True
            hosts.deliver()
            return False

        await until(lambda: reached("spawn"))
        running.cancel()
        await until(lambda: bool(hosts.heard("stop")))
        stop = next(one for one in hosts.said if pickle.loads(one[2])[2] == "stop")
        hosts.said.remove(stop)
        # The outpost hears of the stop before what it said itself is heard.
        hosts.systems["b"].told("home", pickle.loads(stop[2]))
        await until(lambda: bool(hosts.heard("child")))
        hosts.by_hand = False
        hosts.deliver()
        await ended(running)
        assert hosts.live_vms == 0


async def test_a_run_that_is_drained_twice_is_drained(tmp_path: Path) -> None:
    path = write_agent(tmp_path, branches("await new Promise(done => setTimeout(done, 3600000));", ASKS))
    async with gate() as server, staged(tmp_path, "b") as stage:
        holding: asyncio.Future[ActorRef] = asyncio.get_running_loop().create_future()
        attendance = Attendance(holding=holding.set_result)
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}, attendance=attendance))
        root = await holding
        await server.until_asked("/asks")
        first = asyncio.create_task(root.drained())
        await until(lambda: not first.done() and _parked(stage) == 1)
        second = asyncio.create_task(root.drained())
        server.open("/asks")
        await within(HANGS_AFTER_S, asyncio.gather(first, second))
        running.cancel()
        await ended(running)


def _parked(stage: Stage) -> int:
    """How many actors elsewhere the home believes parked."""
    homes: dict[str, Home] = stage.hosts.systems["home"]._homes
    return sum(actor._parked.is_set() for home in homes.values() for actor in home._actors.values())


async def test_what_is_said_of_an_earlier_life_of_a_run_does_not_reach_it(tmp_path: Path) -> None:
    path = write_agent(tmp_path, branches(ASKS))
    async with gate() as server, staged(tmp_path, "b") as stage:
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}))
        await server.until_asked("/asks")
        stage.hosts.systems["home"].told("b", ("home", ("test-run", 0), "stopped", 1))
        server.open("/asks")
        assert output_of(await within(HANGS_AFTER_S, running)) == [200]
        assert server.asked == ["/asks"]


async def test_an_actor_that_nobody_has_written_of_is_begun_anew_with_its_source(tmp_path: Path) -> None:
    write_agent(tmp_path, "export async function agent(input: any, chidori: any) { return 'hello'; }", "inner.ts")
    path = write_agent(tmp_path, branches("return await chidori.callAgent('inner.ts', {});"))
    async with staged(tmp_path, "b", "c") as stage:
        hosts = stage.hosts
        hosts.dead.add("c")
        running = asyncio.create_task(start(stage.runtime, path))
        await until(lambda: not hosts.places)
        await until(lambda: any("c" in home._outposts for home in hosts.systems["home"]._homes.values()))
        hosts.lose("b")
        hosts.lose("c")
        assert output_of(await within(HANGS_AFTER_S, running)) == ["hello"]


async def test_what_a_parent_revealed_is_taken_out_of_answers_to_its_branches_on_other_hosts(tmp_path: Path) -> None:
    rules = '{"rules": [{"target": "env:TOKEN", "decision": "always_allow"}], "default": "always_allow"}'
    inner = "chidori.parallel([async () => (await chidori.http(`${input.url}/${token}`)).body.through])"
    path = write_agent(
        tmp_path, branches(f"const token = await chidori.env('TOKEN', {{ reveal: true }}); return await {inner};")
    )
    environ = {"TOKEN": "correct-horse", "CHIDORI_POLICY": rules}
    async with gate() as server, staged(tmp_path, "b", "c", environ=environ) as stage:
        server.open("/correct-horse")
        [[answer]] = output_of(await within(HANGS_AFTER_S, start(stage.runtime, path, {"url": server.url})))
        assert answer.startswith("/chidori-env-TOKEN-")


@dataclass
class _Run:
    """As much of a run's context as its home needs for these."""

    approvals: Any = None
    services: Any = None
    room: Any = None
    parts: LiveParts = field(default_factory=LiveParts)


def _home(run: _Run, said: list[Message] | None = None) -> Home:
    def send(host: str, *message: Any) -> None:
        if said is not None:
            said.append(message)

    return Home(
        cast(RunContext, run), ("test-run", 1), send, cast(Any, None), cast(Images, HostImages()), cast(Any, None)
    )


@dataclass
class _Approvals:
    asking: asyncio.Lock


@pytest.mark.parametrize("end", ["dropped", "lost", "dropped at once"])
async def test_the_lock_on_questions_is_free_once_nobody_elsewhere_wants_it(end: str) -> None:
    lock, said = asyncio.Lock(), list[Message]()
    home = _home(_Run(_Approvals(lock)), said)
    home.on_lock_asking("b", 1)
    if end != "dropped at once":
        await until(lambda: ("replied", 1, None, False) in said)
        assert lock.locked()
    if end == "lost":
        await home.lost("b")
    else:
        home.on_request_dropped("b", 1)
    await until(lambda: not home._requests)
    async with asyncio.timeout(HANGS_AFTER_S), lock:
        pass


async def test_room_for_actors_elsewhere_is_counted_at_home_until_nobody_there_wants_it() -> None:
    room, said = OwnRoom(), list[Message]()
    home = _home(_Run(room=room), said)
    for token, (host, count) in enumerate((("b", 3), ("b", 4), ("c", 5)), 1):
        home.on_take_room(host, token, count, False)
    home.on_take_room("c", 4, live_actors.MOST_ACTORS, False)
    await until(lambda: len(said) == 4)
    assert [message[1:3] for message in said[:3]] == [(1, None), (2, None), (3, None)]
    assert isinstance(said[3][2], NoRoom)
    assert said[3][2].alive == room.alive == 13
    home.on_request_dropped("b", 1)
    await until(lambda: room.alive == 10)
    await home.lost("b")
    await until(lambda: room.alive == 6)
    home.close()
    await until(lambda: room.alive == 1)


@dataclass
class _Services:
    events: RecordingObserver


async def test_what_a_lost_host_streamed_ends_as_interrupted() -> None:
    events = RecordingObserver()
    home = _home(_Run(services=_Services(events)))
    for host, seq in ("b", 1), ("c", 2), ("b", 3):
        home.on_streamed(host, "prompt_start", f"stream-{seq}", seq, None, "a model")
    home.on_streamed("b", "prompt_delta", "stream-1", 1, None, "so far")
    home.on_streamed("b", "prompt_end", "stream-3", 3, None, None)
    await home.lost("b")
    assert events.of("prompt_end") == [(3, None), (1, "interrupted")]


class _Neighbour:
    """A peer whose host is this process."""

    def __init__(self, links: Callable[[], Links], fails: list[ray.exceptions.RayError]) -> None:
        self._links = links
        self._fails = fails

    async def _exchange(self, *args: Any) -> bool:
        if self._fails:
            raise self._fails.pop()
        return self._links().received(*args)

    def exchange(self, *args: Any) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self._exchange(*args))

    def watch(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


@asynccontextmanager
async def linked(
    heard: Callable[[Message], None], fails: list[ray.exceptions.RayError] | None = None
) -> AsyncIterator[tuple[Links, list[str]]]:
    """The links of a host to one that hears its messages, and what went wrong on the way."""
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["message"]))
    there = Links("there", lambda name: None, lambda _, message: heard(message), lambda name: None, lost_after_s=9)
    neighbour = _Neighbour(lambda: there, fails or [])
    here = Links("here", lambda name: neighbour, lambda _, message: None, lambda name: None, lost_after_s=9)
    try:
        yield here, reported
    finally:
        await here.aclose()
        await there.aclose()


async def test_a_message_that_cannot_be_heard_or_told_keeps_no_other_from_arriving() -> None:
    heard: list[Message] = []

    def hear(message: Message) -> None:
        if message == ("bad",):
            raise ValueError("no such thing")
        heard.append(message)

    async with linked(hear) as (links, reported):
        for message in (("first",), ("bad",), ("second",), (lambda: None,), ("third",)):
            links.send("there", message)
        await until(lambda: len(heard) == 3)
        links.send("there", ("fourth",))
        await until(lambda: len(heard) == 4)
    assert heard == [("first",), ("second",), ("third",), ("fourth",)]
    assert len(reported) == 2


async def test_a_call_that_fails_at_the_other_end_is_made_again() -> None:
    heard: list[Message] = []
    async with linked(heard.append, [ray.exceptions.RayError("some failure")]) as (links, reported):
        links.send("there", ("first",))
        links.send("there", ("second",))
        await until(lambda: len(heard) == 2)
    assert reported == []


def test_values_that_need_a_registered_way_of_pickling_can_be_told() -> None:
    assert loads(*dumps(("told", re.compile("a+"))))[1].fullmatch("aaa")


class _Stubborn(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


def test_an_error_that_cannot_be_made_again_says_what_it_said() -> None:
    plain = ValueError("as it is")
    assert portable(plain) is plain
    assert str(portable(_Stubborn("no", "way"))) == "_Stubborn: no way"
