"""Runs whose host was lost: each is begun on another one."""

import asyncio
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from ray.exceptions import RayError

from chidori_actors.errors import ChidoriError

from .config import Need
from .grants import Grants
from .registry import SUPERVISOR, Registry

_AGAIN_S = 2.0
_RETRY_S = 0.2


class Rehoming:
    """``find`` gives a host's Ray actor, if it lives; ``spawn`` does work by itself; ``moved`` is awaited when runs
    have new homes."""

    def __init__(
        self,
        registry: Registry,
        grants: Grants,
        find: Callable[[str], Any | None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        moved: Callable[[], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._grants = grants
        self._find = find
        self._spawn = spawn
        self._moved = moved

    async def resume(self, run_ids: Sequence[str], need: Need) -> None:
        """Give those of the runs that have no home a new one."""
        waiting = [run_id for run_id in run_ids if self._is_homeless(run_id)]
        while waiting:
            try:
                names = await self._grants.get(SUPERVISOR, len(waiting), need)
            except ChidoriError:
                await asyncio.sleep(_AGAIN_S)  # the only node that has what they need is gone; it may come back
                continue
            given = defaultdict(list)
            for name, run_id in zip(names, waiting, strict=False):
                given[name].append(run_id)
            del waiting[: len(names)]
            for name, begun in given.items():  # one that is slow or frozen delays none of the others
                self._spawn(self._begin(name, begun, need))

    async def _begin(self, name: str, run_ids: Sequence[str], need: Need) -> None:
        works = [self._registry.runs[run_id].work.resumed() for run_id in run_ids if self._is_homeless(run_id)]
        host = self._find(name)
        try:
            if host is not None:
                await host.begin.remote("", works)
                for work in works:
                    if self._is_homeless(work.run_id):
                        self._registry.drives(name, work, time.monotonic())
        except RayError:
            traceback.print_exc()
            await asyncio.sleep(_RETRY_S)
        await self._moved()
        left = [run_id for run_id in run_ids if self._is_homeless(run_id)]
        if left:
            self._spawn(self.resume(left, need))

    def _is_homeless(self, run_id: str) -> bool:
        run = self._registry.runs.get(run_id)
        return run is not None and run.host is None
