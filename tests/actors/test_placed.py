"""Where a run's actors live: hosts that die under them, room that they wait for, what they are to begin anew with."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors import home
from actors.link import Message
from actors.shipping import ShippedActor
from chidori_actors.errors import ChidoriError
from chidori_actors.journal.actors import ActorPlace, actor_places, run_actors
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.placement.local import LocalRef, LocalSystem
from chidori_actors.session import live_actors
from chidori_actors.session.outcome import BOUND_EXCEEDED
from chidori_actors.session.vm_host import VmHost
from chidori_actors.vm.machine import Said
from tests.support.agents import failure_of, output_of, start, within, write_agent
from tests.support.gate import gate

from .staged_hosts import ASKS, HANGS_AFTER_S, Stage, branches, staged, until

OTHERS = ("b", "c", "d", "e", "f", "g")


async def test_an_actor_under_which_five_hosts_died_in_a_row_fails_and_can_be_begun_again(tmp_path: Path) -> None:
    path = write_agent(tmp_path, branches(ASKS))
    async with gate() as server, staged(tmp_path, *OTHERS[:5]) as stage:
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}))
        for deaths, host in enumerate(OTHERS[:5], 1):
            await within(HANGS_AFTER_S, server.until_asked("/asks", deaths))
            stage.hosts.lose(host)
        failed = failure_of(await within(HANGS_AFTER_S, running))
        assert failed.error["message"].startswith("branch 0: actor 1/b0: 5 hosts in a row died while it was on")
        assert failed.error["name"] == BOUND_EXCEEDED
        assert server.asked == ["/asks"] * 5
        await until(lambda: not +stage.hosts.booked)
        server.open("/asks")
        assert output_of(await within(HANGS_AFTER_S, stage.runtime.resume("test-run"))) == [200]


async def test_an_actor_that_gets_further_on_each_host_is_placed_however_many_of_them_die(tmp_path: Path) -> None:
    asks = "for (let i = 0; i < 7; i++) await chidori.http(`${input.url}/${i}`); return 'done';"
    path = write_agent(tmp_path, branches(asks))
    async with gate() as server, staged(tmp_path, *OTHERS) as stage:
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}))
        for number, host in enumerate(OTHERS):
            server.open(f"/{number}")
            await within(HANGS_AFTER_S, server.until_asked(f"/{number + 1}"))
            stage.hosts.lose(host)
        server.open("/6")
        assert output_of(await within(HANGS_AFTER_S, running)) == ["done"]


async def test_actors_that_are_cancelled_while_they_wait_for_room_end_without_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, alive = LocalSystem.spawn, list[int]()

    def counted(system: LocalSystem, *args: Any) -> LocalRef:
        ref = spawn(system, *args)
        alive.append(system.live_vms)
        return ref

    monkeypatch.setattr(LocalSystem, "spawn", counted)
    path = write_agent(tmp_path, branches("throw new Error('no good');", *["await chidori.log('never');"] * 40))
    async with staged(tmp_path, "home") as stage:
        hosts = stage.hosts
        hosts.room.clear()
        failed = failure_of(await within(HANGS_AFTER_S, start(stage.runtime, path)))
        assert failed.error["message"] == "branch 0: no good"
        store = stage.runtime.store
        ends = [actor.status for actor in run_actors(store, get_run(store, "test-run").lane)]
        assert ends == ["failed", *["cancelled"] * 40]
        assert 2 < max(alive) < 20, "they end some at a time, as there is no room for all"
        hosts.room.set()
        await until(lambda: "home" in hosts.booked and not +hosts.booked)


async def test_actors_of_all_hosts_count_among_those_that_a_run_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_actors, "MOST_ACTORS", 4)
    inner = "chidori.parallel([1, 2, 3].map((i) => async () => i), input.options)"
    path = write_agent(tmp_path, branches(f"return await {inner};"))
    async with staged(tmp_path, "b") as stage:
        failed = failure_of(await within(HANGS_AFTER_S, start(stage.runtime, path, {"options": {}})))
        assert "with 3 more, over 4 actors of this run would be alive at once (now: 2)" in failed.error["message"]
        assert failed.error["name"] == "RangeError"
    async with staged(tmp_path, "b") as stage:
        fits = start(stage.runtime, path, {"options": {"concurrency": 2}}, run_id="fits")
        assert output_of(await within(HANGS_AFTER_S, fits)) == [[1, 2, 3]]


async def test_a_parent_sees_no_earlier_time_than_an_actor_inside_of_it_that_has_ended(tmp_path: Path) -> None:
    inner = "async () => (await chidori.http(`${input.url}/asks`)).status"
    path = write_agent(tmp_path, branches(f"await chidori.parallel([{inner}]); return Date.now();"))
    async with gate() as server, staged(tmp_path, "b", "c") as stage:
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}))
        await server.until_asked("/asks")
        # As if the clock of the inner one's host were ahead of the parent's.
        ahead = _home(stage).run.last_ms = _home(stage).run.last_ms + 3_600_000
        server.open("/asks")
        [seen] = output_of(await within(HANGS_AFTER_S, running))
        assert seen >= ahead


async def test_an_actor_that_begins_anew_is_told_of_those_inside_of_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = "return await chidori.parallel([async () => (await chidori.http(`${input.url}/asks`)).status]);"
    path = write_agent(tmp_path, branches(inner, inner, inner))
    told: list[ShippedActor] = []
    reads: list[int] = []

    def counted(store: Store, root_lane: int) -> list[ActorPlace]:
        reads.append(root_lane)
        return actor_places(store, root_lane)

    monkeypatch.setattr(home, "actor_places", counted)

    def overhears(to: str, message: Message) -> None:
        if message[2] == "start" and to == "c":
            told.append(message[4])

    async with gate() as server, staged(tmp_path, "b", "b", "b", "home", "home", "home", "c", "c", "c") as stage:
        stage.hosts.overhears = overhears
        running = asyncio.create_task(start(stage.runtime, path, {"url": server.url}))
        await within(HANGS_AFTER_S, server.until_asked("/asks", 3))
        stage.hosts.lose("b")
        await until(lambda: len(told) == 3)
        server.open("/asks")
        assert output_of(await within(HANGS_AFTER_S, running)) == [[200], [200], [200]]
        store = stage.runtime.store
        lanes = {actor.path: actor.lane for actor in run_actors(store, get_run(store, "test-run").lane)}
    assert len(reads) < len(told), "it is read once for all that were on a host, unless they hear of it one by one"
    for shipped in told:
        [known] = shipped.known.values()
        assert known == {0: lanes[f"{shipped.path}/1/b0"]}


@pytest.mark.parametrize("place", ["home", "b"])
async def test_an_actor_that_cancels_itself_ends_its_run_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    begin, begun = VmHost.begin, Counter[str]()

    async def cancels_itself(host: VmHost) -> list[Said]:
        begun["VMs"] += 1
        if begun["VMs"] > 1:
            raise asyncio.CancelledError
        return await begin(host)

    monkeypatch.setattr(VmHost, "begin", cancels_itself)
    path = write_agent(tmp_path, branches("return 1;"))
    async with staged(tmp_path, place) as stage:
        with pytest.raises(ChidoriError, match="actor 1/b0 was cancelled from within"):
            await within(HANGS_AFTER_S, start(stage.runtime, path))
    assert begun["VMs"] == 2


def _home(stage: Stage) -> home.Home:
    [found] = stage.hosts.systems["home"]._homes.values()
    return found
