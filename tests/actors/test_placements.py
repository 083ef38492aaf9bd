"""Asking the supervisor for room, and telling it what ended."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from actors.config import Need
from actors.placements import Placements
from chidori_actors.errors import ChidoriError

LIMIT_S = 30
NEED = Need()


@dataclass
class _Supervisor:
    """Gives at most three places at a time, on hosts in turn."""

    asked: list[int] = field(default_factory=list)
    told: asyncio.Queue[dict[str, int]] = field(default_factory=asyncio.Queue)
    away: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def ask(self, count: int, need: Need) -> list[str]:
        self.asked.append(count)
        self.heard.set()
        await self.open.wait()
        if self.away:
            raise ChidoriError("the supervisor cannot be reached")
        return ["a", "b", "a"][:count]

    async def give_back(self, counts: dict[str, int]) -> None:
        self.told.put_nowait(counts)
        if self.away:
            raise ChidoriError("the supervisor cannot be reached")


async def test_many_are_asked_for_at_once_until_all_have_a_place() -> None:
    supervisor = _Supervisor()
    placements = Placements(supervisor.ask, supervisor.give_back)
    async with asyncio.timeout(LIMIT_S):
        names = await asyncio.gather(*(placements.take(NEED) for _ in range(7)))
    assert supervisor.asked == [7, 4, 1]
    assert Counter(names) == placements.held == {"a": 5, "b": 2}


async def test_what_ended_is_told_together_and_held_no_more() -> None:
    supervisor = _Supervisor()
    placements = Placements(supervisor.ask, supervisor.give_back)
    async with asyncio.timeout(LIMIT_S):
        for name in await asyncio.gather(*(placements.take(NEED) for _ in range(3))):
            placements.give_back(name)
        assert await supervisor.told.get() == {"a": 2, "b": 1}
    assert placements.held == {}


async def test_what_could_not_be_told_is_held_no_more_all_the_same() -> None:
    supervisor = _Supervisor()
    placements = Placements(supervisor.ask, supervisor.give_back)
    async with asyncio.timeout(LIMIT_S):
        names = await asyncio.gather(*(placements.take(NEED) for _ in range(3)))
        supervisor.away = True
        placements.give_back(names[0])
        await supervisor.told.get()
        supervisor.away = False
        placements.give_back(names[1])
        assert await supervisor.told.get() == {"b": 1}
    assert placements.held == {"a": 1}


async def test_a_place_that_nobody_wants_any_more_is_given_back() -> None:
    supervisor = _Supervisor()
    placements = Placements(supervisor.ask, supervisor.give_back)
    supervisor.open.clear()
    first, second = (asyncio.create_task(placements.take(NEED)) for _ in range(2))
    async with asyncio.timeout(LIMIT_S):
        await supervisor.heard.wait()
        first.cancel()
        supervisor.open.set()
        assert await second == "b"
        assert await supervisor.told.get() == {"a": 1}
    assert placements.held == {"b": 1}


async def test_who_waits_is_told_that_the_supervisor_is_away() -> None:
    supervisor = _Supervisor(away=True)
    placements = Placements(supervisor.ask, supervisor.give_back)
    async with asyncio.timeout(LIMIT_S):
        failed = await asyncio.gather(*(placements.take(NEED) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in failed] == [ChidoriError] * 3
        supervisor.away = False
        assert await placements.take(NEED) == "a"
