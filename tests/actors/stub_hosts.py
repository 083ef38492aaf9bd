"""Hosts that hold nothing, for tests of the supervisor: they only remember what they were told to drive."""

import asyncio
import os
from dataclasses import dataclass, replace

import ray

from actors.config import ClusterConfig, Need
from actors.status import HostLoad

STUB = "tests.actors.stub_hosts:StubHost"
BROKEN = "tests.actors.stub_hosts:BrokenHost"


@dataclass(frozen=True, slots=True)
class StubWork:
    """What the supervisor needs of a ``Work``."""

    run_id: str
    begun: bool = False

    def resumed(self) -> "StubWork":
        return replace(self, begun=True)


class StubHost:
    """Accepts runs, which go on for ever."""

    def __init__(self, name: str, config: ClusterConfig, need: Need) -> None:
        self._name = name
        self._config = config
        self._need = need
        self._works: dict[str, StubWork] = {}

    async def begin(self, front: str, works: list[StubWork]) -> None:
        supervisor = ray.get_actor("supervisor", namespace=self._config.namespace)
        for work in works:
            self._works[work.run_id] = work
            await supervisor.report.remote(self._name, [work])

    async def hosted(self) -> list[StubWork]:
        return list(self._works.values())

    async def evacuate(self) -> None:
        """The supervisor places anew what is left."""

    async def bury(self, name: str) -> None:
        """It has nothing of others."""

    async def watch(self) -> None:
        await asyncio.Event().wait()

    @ray.method(concurrency_group="control")
    async def ping(self) -> HostLoad:
        node = ray.get_runtime_context().get_node_id()
        return HostLoad(node, self._need, os.getpid(), 1 << 20, {})


class BrokenHost:
    """Cannot be started."""

    def __init__(self, name: str, config: ClusterConfig, need: Need) -> None:
        raise RuntimeError("this machine lacks what it needs")

    async def bury(self, name: str) -> None:
        """It has nothing of others."""

    async def watch(self) -> None: ...

    async def ping(self) -> None: ...
