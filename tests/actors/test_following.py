"""A front that looks for the runs which it attends."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ray.exceptions import ActorDiedError

from actors.attended_run import AttendedRun
from actors.config import Need
from actors.following import Following
from actors.host_end import HostLink
from actors.news import Action, Ended, Told
from actors.work import Listening, Work
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.session.attendance import Attendance
from tests.support.agents import within

LISTENING = Listening("front-1", "everything", publish=False, questions=False, board=False)
SECONDS = 20


@dataclass
class Host:
    """Has the run once it was asked for it ``late`` times; ``news`` is what it says of it, None that it died."""

    late: int = 0
    news: asyncio.Queue[Told | None] = field(default_factory=asyncio.Queue)

    async def begin(self, front: str, works: Sequence[Work]) -> None:
        raise AssertionError("the run was begun anew")

    async def follow(self, front: str, after: int) -> list[Told]:
        told = await self.news.get()
        if told is None:
            raise ActorDiedError
        return [told]

    async def attend(self, run_id: str, listening: Listening) -> bool:
        self.late -= 1
        return self.late < 0

    async def act(self, front: str, actions: Sequence[Action]) -> None:
        """Nobody wants anything."""


@dataclass
class Directory:
    """Says one after the other of ``homes`` where the run is, and the last one again and again."""

    homes: list[str | None]

    async def place(self, need: Need) -> str:
        raise AssertionError("the run was placed anew")

    async def locate(self, run_id: str) -> str | None:
        return self.homes.pop(0) if len(self.homes) > 1 else self.homes[0]

    async def gone(self, host: str) -> None:
        """The supervisor knows that."""


async def test_a_run_on_its_way_to_its_new_host_is_waited_for(tmp_path: Path) -> None:
    hosts = {"first": Host(), "second": Host(late=4)}
    directory = Directory(["first", "", "", "", "", "second"])

    def find(name: str) -> HostLink:
        return hosts[name]

    store = LocalStore.open(tmp_path / "store", durability="relaxed")
    following = Following("front-1", store, directory, find)
    try:
        run = AttendedRun("run", LISTENING, Attendance(), following.act)
        assert await following.attend(run)
        hosts["first"].news.put_nowait(None)
        hosts["second"].news.put_nowait(Told(1, "run", Ended(None)))
        assert await within(SECONDS, run.ended) is None
        assert hosts["second"].late == -1
    finally:
        await following.aclose()
        store.close()


async def test_a_run_that_nobody_knows_is_not_attended(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "store", durability="relaxed")
    following = Following("front-1", store, Directory([None]), lambda name: Host())
    try:
        assert not await following.attend(AttendedRun("run", LISTENING, Attendance(), following.act))
    finally:
        await following.aclose()
        store.close()
