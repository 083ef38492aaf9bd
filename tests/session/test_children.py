"""The actors inside of a call, when nobody wants the call any more."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.journal.lanes import Settled
from chidori_actors.placement.local import LocalRef, LocalSystem
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import Closing, RunContext, Watcher
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.outcome import Rest
from tests.support.agents import runtime_in, start, within, write_agent
from tests.support.gate import gate

CONTAINS = "CallRunner._perform"
"""The task that the actors inside of a call belong to."""


class _Last:
    """An actor with whose end the call that contains it is cancelled, which puts the task of that into ``ended``."""

    def __init__(self, ref: LocalRef, ended: list[asyncio.Task[Any]]) -> None:
        self._ref = ref
        self._ended = ended
        self.cancel = ref.cancel
        self.drained = ref.drained

    def inherit(self, key: int, settled: Settled | None) -> None:
        self._ref.inherit(key, settled)

    async def wait(self) -> Rest:
        rest = await self._ref.wait()
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "") == CONTAINS:
                task.cancel()
                self._ended.append(task)
        return rest


@pytest.mark.only_local("the test replaces the actors of its own process")
async def test_an_actor_that_is_due_as_its_call_is_cancelled_does_not_live_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = LocalSystem.spawn
    begun: asyncio.Queue[str] = asyncio.Queue()
    containing: list[asyncio.Task[Any]] = []

    def spawn_last(
        system: LocalSystem,
        spec: ActorSpec,
        run: RunContext,
        lane: LaneWriter,
        closing: Closing,
        watcher: Watcher | None = None,
    ) -> LocalRef | _Last:
        begun.put_nowait(spec.path)
        ref = spawn(system, spec, run, lane, closing, watcher)
        return _Last(ref, containing) if spec.path.endswith("/b0") else ref

    monkeypatch.setattr(LocalSystem, "spawn", spawn_last)
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
            const asks = async () => (await chidori.http(`${input.url}/asks`)).status;
            return await chidori.parallel([async () => 1, asks], { concurrency: 1 });
        }""",
    )
    async with gate() as server, runtime_in(tmp_path) as runtime:
        running = asyncio.create_task(start(runtime, path, {"url": server.url}))
        async with asyncio.timeout(30):
            assert [await begun.get() for _ in range(3)] == ["", "1/b0", "1/b1"]
            await asyncio.wait(containing)
        assert [task.get_name() for task in asyncio.all_tasks() if "/b1" in task.get_name()] == []
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(30, running)
        assert server.asked == []


@pytest.mark.only_local("the test replaces the actors of its own process")
async def test_an_actor_does_not_live_on_when_another_of_its_call_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = LocalSystem.spawn

    def spawn_first(
        system: LocalSystem,
        spec: ActorSpec,
        run: RunContext,
        lane: LaneWriter,
        closing: Closing,
        watcher: Watcher | None = None,
    ) -> LocalRef:
        if spec.path.endswith("/b1"):
            raise StoreError("what is known of it is damaged")
        return spawn(system, spec, run, lane, closing, watcher)

    monkeypatch.setattr(LocalSystem, "spawn", spawn_first)
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
            return await chidori.parallel([1, 2].map(() => () => chidori.http(`${input.url}/asks`)));
        }""",
    )
    async with gate() as server, runtime_in(tmp_path) as runtime:
        with pytest.raises(StoreError, match="damaged"):
            await within(30, start(runtime, path, {"url": server.url}))
        assert [task.get_name() for task in asyncio.all_tasks() if "/b0" in task.get_name()] == []
