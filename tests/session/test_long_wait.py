"""A call that may be repeated is in the store while it takes long, and a short one costs no commit of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.lent import LentLaneWriter
from chidori_actors.errors import RunNotFound
from chidori_actors.journal.lanes import Started
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Store
from chidori_actors.session.long_wait import LATE_SECONDS, LONG_SECONDS, MOST_DELAYS, LongWait
from tests.cli.console import command_line, environment
from tests.support.agents import calls_of, output_of, runtime_in, start, within, write_agent
from tests.support.gate import Gate, gate

SECONDS = 30
IN_TIME = LATE_SECONDS / 2

BRANCHES = """
export async function agent(input: any, chidori: any) {
  const aside = chidori.http(input.url + "/aside");
  const through = await chidori.parallel(["/one", "/two"].map((path) => async () => {
    return (await chidori.http(input.url + path)).body.through;
  }));
  return [...through, (await aside).body.through];
}
"""
FIRST = """
export async function agent(input: any, chidori: any) {
  const { times } = (await chidori.http(input.url + "/first")).body;
  return { times, second: (await chidori.http(input.url + "/second")).body.times };
}
"""


class Clock:
    """The running loop's time, which only goes on when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        patch.setattr(loop, "time", lambda: self._now)

    async def forward(self, seconds: float) -> None:
        self._now += seconds
        for _ in range(3):
            await asyncio.sleep(0)


class Lane:
    """A lane writer and what it has sent: the ordinals of each commit's calls."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.writer = LentLaneWriter(1, 0, self._take, lambda: ())

    def _take(self, action: str, number: int, entries: list[Started], *rest: object) -> None:
        self.commits.append([entry.ordinal for entry in entries])

    def begin(self, ordinal: int) -> None:
        """A call begins, and its entry is left for the next commit."""
        self.writer.append(Started(ordinal, ordinal, 0, "prompt", b"{}", 0))

    def submit(self) -> None:
        self.writer.submit(_ignore)


def _ignore(error: BaseException | None) -> None: ...


async def test_what_is_unsent_when_an_actor_waits_long_is_committed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lane = Clock(monkeypatch), Lane()
    with LongWait(lane.writer, _ignore) as wait:
        lane.begin(1)
        wait.begin()
        await clock.forward(LONG_SECONDS * 0.9)
        assert lane.commits == []
        wait.begin()  # woken, and it waits again: its time goes on
        await clock.forward(LONG_SECONDS * 0.1 + IN_TIME)
        assert lane.commits == [[1]]
        for _ in range(4):
            await clock.forward(LONG_SECONDS)
            wait.begin()
        assert lane.commits == [[1]]
        lane.begin(2)
        wait.begin()
        await clock.forward(LONG_SECONDS + IN_TIME)
        assert lane.commits == [[1], [2]]


async def test_short_calls_cost_no_commit_and_the_last_one_is_seen_in_twice_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, lane = Clock(monkeypatch), Lane()
    with LongWait(lane.writer, _ignore) as wait:
        for ordinal in range(1, 101):
            lane.begin(ordinal)
            wait.begin()
            await clock.forward(LONG_SECONDS / 5)
            lane.submit()
        assert lane.commits == [[ordinal] for ordinal in range(1, 101)]
        lane.begin(101)
        wait.begin()
        await clock.forward(LONG_SECONDS + IN_TIME)
        await clock.forward(LONG_SECONDS + IN_TIME)
        assert lane.commits[100:] == [[101]]


async def test_a_loop_that_is_behind_with_its_work_gets_no_commits_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, lane = Clock(monkeypatch), Lane()
    with LongWait(lane.writer, _ignore) as wait:
        lane.begin(1)
        wait.begin()
        for _ in range(MOST_DELAYS):
            await clock.forward(LONG_SECONDS + 2 * LATE_SECONDS)
            assert lane.commits == []
        await clock.forward(LONG_SECONDS + 2 * LATE_SECONDS)
        assert lane.commits == [[1]]
        lane.begin(2)
        wait.begin()
        await clock.forward(LONG_SECONDS + 2 * LATE_SECONDS)
        await clock.forward(LONG_SECONDS + IN_TIME)
        assert lane.commits == [[1], [2]]


async def test_an_actor_that_comes_to_its_end_commits_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lane = Clock(monkeypatch), Lane()
    with LongWait(lane.writer, _ignore) as wait:
        lane.begin(1)
        wait.begin()
    await clock.forward(LONG_SECONDS * 2)
    assert lane.commits == []


async def stored(store: Store, run_id: str, is_enough: Callable[[set[str]], bool]) -> list[Started]:
    """The calls of the run that are in the store, once enough are."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                calls = calls_of(store, run_id)
            except RunNotFound:
                calls = []
            if is_enough({_path(call) for call in calls}):
                return calls
            await asyncio.sleep(0.02)


def _path(call: Started) -> str:
    """The path that a request goes to."""
    return call.args.decode().partition('"url":"')[2].partition('"')[0].rpartition("/")[2]


async def test_requests_of_branches_are_in_the_store_while_nothing_has_come_back(tmp_path: Path) -> None:
    async with gate() as door, runtime_in(tmp_path) as runtime:
        path = write_agent(tmp_path, BRANCHES)
        running = asyncio.create_task(start(runtime, path, {"url": door.url}))
        calls = await stored(runtime.store, "test-run", {"aside", "one", "two"}.issubset)
        assert len(calls) == 4
        assert not running.done()
        for each in ("/aside", "/one", "/two"):
            door.open(each)
        assert output_of(await within(SECONDS, running)) == ["/one", "/two", "/aside"]
        assert sorted(door.asked) == ["/aside", "/one", "/two"]
        assert [call.seq for call in calls_of(runtime.store)] == [call.seq for call in calls]


@pytest.mark.only_local("a process of its own that is killed")
async def test_a_request_that_another_process_saw_under_way_is_made_again_after_a_kill(tmp_path: Path) -> None:
    write_agent(tmp_path, FIRST)
    async with gate() as door:
        run_id, before = await _killed(tmp_path, door)
        door.open("/first")
        door.open("/second")
        resumed = await _command(tmp_path, "resume", "agent.ts", run_id, "-q")
        assert b'"times":2' in resumed.replace(b" ", b"")
        assert door.asked == ["/first", "/first", "/second"]
    store = LocalStore.open(tmp_path / ".chidori/store", create=False)
    try:
        after = calls_of(store, run_id)
    finally:
        store.close()
    assert after[:1] == before
    assert [call.seq for call in after] == [1, 2]


async def _killed(folder: Path, door: Gate) -> tuple[str, list[Started]]:
    """A run whose process was killed while its first request waits; what the store had of it before that."""
    process = await _process(folder, "run", "agent.ts", "-i", f"url={door.url}")
    try:
        assert process.stderr is not None
        run_id = (await within(SECONDS, process.stderr.readline())).decode().split()[1]
        await within(SECONDS, door.until_asked("/first"))
        store = LocalStore.open(folder / ".chidori/store", create=False)
        try:
            before = await stored(store, run_id, {"first"}.issubset)
        finally:
            store.close()
    finally:
        process.kill()
        await process.wait()
    return run_id, before


async def _command(folder: Path, *arguments: str) -> bytes:
    process = await _process(folder, *arguments)
    out, told = await within(SECONDS, process.communicate())
    assert process.returncode == 0, told.decode()
    return bytes(out)


async def _process(folder: Path, *arguments: str) -> Any:
    return await asyncio.create_subprocess_exec(
        *command_line(*arguments),
        cwd=folder,
        env=environment(folder, CHIDORI_HTTP_ALLOW_HOSTS="*"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
