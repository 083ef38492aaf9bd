"""A cluster with many sessions on it, to which something is done in their midst."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.cluster import ClusterHandles, connect, stop_cluster
from actors.cluster_runtime import ClusterRuntime, runtime_on
from actors.config import ClusterConfig
from actors.host_processes import HOST
from chidori_actors.policy import Policy
from chidori_actors.session.actor_images import IMAGE_EVERY
from tests.support.agents import make_settings, within

from .faults import status_of, until_empty
from .ledger import Ledger, ledger
from .nodes import Nodes
from .sessions import FLAT, Clock, Sessions

LIMIT_S = 100.0
"""Within this much the sessions complete, whatever is done to them: patience for a loaded machine."""
_EMPTY_S = 40.0
_STOPPING_S = 5.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario is given."""

    handles: ClusterHandles
    front: ClusterRuntime
    ledger: Ledger
    sessions: Sessions
    clock: Clock
    nodes: Nodes | None = None

    async def settle(self) -> None:
        """Note what the record has: right before a fault."""
        await self.sessions.note_settled(self.front.store)

    async def disturbed(self, disturb: Callable[["Stage"], Awaitable[None]]) -> dict[str, Any]:
        """Run all sessions, ``disturb`` them, and see that nothing came of it; figures of how long that took.

        Raises:
            AssertionError: something did.
        """
        running = asyncio.create_task(self.sessions.run(self.front))
        try:
            async with asyncio.timeout(LIMIT_S):
                await disturb(self)
                await running
        except TimeoutError:
            raise AssertionError(f"the sessions did not complete: {await self._state()}") from None
        finally:
            running.cancel()
            await asyncio.wait([running], timeout=_STOPPING_S)
        return await self.checked()

    async def checked(self) -> dict[str, Any]:
        """See that all is as if nothing had happened; the figures."""
        figures = self.clock.figures()
        self.sessions.check(self.front.store)
        await within(LIMIT_S, self.sessions.check_replays(self.front))
        try:
            await within(_EMPTY_S, until_empty(self.handles))
        except TimeoutError:
            raise AssertionError(f"room is still booked: {await self._state()}") from None
        return figures

    async def _state(self) -> str:
        left = sorted(set(self.sessions.names) - set(self.sessions.results))
        try:
            status = await within(5.0, status_of(self.handles))
        except Exception as error:
            status = error
        return f"{len(left)} of {self.sessions.count} left {left[:5]}; {self.clock.figures()}; {status}"


@asynccontextmanager
async def staged(
    folder: Path,
    address: str,
    namespace: str,
    *,
    nodes: Nodes | None = None,
    count: int = 200,
    source: str = FLAT,
    host_class: str = HOST,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A cluster with its sessions, which have not begun; ``options`` are those of its configuration."""
    config = ClusterConfig(folder / "store", **{"namespace": namespace, "durability": "relaxed", "hosts": 3, **options})
    handles = await connect(address, config, host_class=host_class)
    try:
        assert await within(LIMIT_S, handles.supervisor.settled.remote()) is None
        settings = make_settings(config.store)
        async with (
            ledger() as counted,
            runtime_on(handles, settings, Policy.load(settings), IMAGE_EVERY) as front,
        ):
            sessions = Sessions(folder, counted, count, source)
            yield Stage(handles, front, counted, sessions, Clock(counted), nodes)
    finally:
        await stop_cluster(handles)
