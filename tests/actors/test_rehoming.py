"""Runs of a lost host, begun on others that may be slow or dead themselves."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ray.exceptions import ActorUnavailableError

from actors.config import ClusterConfig
from actors.grants import Grants
from actors.growth import ANY, Start
from actors.nodes import Node
from actors.registry import Registry
from actors.rehoming import Rehoming
from actors.work import Work

from .stub_hosts import StubWork

LIMIT_S = 30


@dataclass
class _Host:
    """As its Ray actor: ``begin.remote`` is awaited."""

    began: list[str] = field(default_factory=list)
    frozen: bool = False
    failures: int = 0

    @property
    def begin(self) -> "_Host":
        return self

    async def remote(self, front: str, works: list[StubWork]) -> None:
        if self.failures:
            self.failures -= 1
            raise ActorUnavailableError("away", None)
        if self.frozen:
            await asyncio.Event().wait()
        self.began += [work.run_id for work in works]


class _Cluster:
    """A host with runs that is lost, and others with room for one actor each."""

    def __init__(self, runs: list[str], hosts: dict[str, _Host]) -> None:
        self.registry = Registry(ClusterConfig(store=Path("/store"), hosts=9, actors_per_host=1))
        self.registry.see_nodes([Node("n", "address", "name", {"CPU": 9})])
        self.hosts = hosts
        self.grants = Grants(self.registry, lambda: None)
        self.moved = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.rehoming = Rehoming(self.registry, self.grants, hosts.get, self.spawn, self._moved)
        self.up("lost")
        for run in ("ended", *runs):
            self.registry.drives("lost", cast(Work, StubWork(run)), 0.0)
        self.registry.rests("lost", "ended", time.monotonic())  # else runs under way were given more room than there is
        self.registry.lose("lost", 0.0)

    def up(self, name: str) -> None:
        self.registry.starting(name, Start("n", ANY))
        self.registry.up(name, 0.0)
        self.grants.serve()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def _moved(self) -> None:
        self.moved.set()

    async def until_homed(self, *runs: str) -> None:
        async with asyncio.timeout(LIMIT_S):
            while any(self.registry.runs[run].host is None for run in runs):
                self.moved.clear()
                await self.moved.wait()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)


async def test_a_host_that_does_not_answer_delays_no_run_but_those_it_was_given() -> None:
    cluster = _Cluster(["run-a", "run-b"], {"frozen": _Host(frozen=True), "well": _Host()})
    cluster.up("frozen")
    cluster.spawn(cluster.rehoming.resume(["run-a", "run-b"], ANY))
    await asyncio.sleep(0)
    cluster.up("well")
    await cluster.until_homed("run-b")
    assert cluster.hosts["well"].began == ["run-b"]
    assert cluster.registry.runs["run-a"].host is None
    await cluster.end()


async def test_a_run_whose_new_host_is_away_is_given_another() -> None:
    cluster = _Cluster(["run-a"], {"away": _Host(failures=1), "well": _Host()})
    cluster.up("away")
    cluster.spawn(cluster.rehoming.resume(["run-a"], ANY))
    await asyncio.sleep(0)
    cluster.up("well")
    await cluster.until_homed("run-a")
    assert cluster.registry.runs["run-a"].host == "well"
    assert cluster.hosts["well"].began == ["run-a"]
    await cluster.end()
