"""The pictures of the runs that somebody looks at: kept for a while, and not too many of them."""

import asyncio
import time
from collections import OrderedDict

from ..errors import RunNotFound
from ..journal.store import Store
from .picture import Attended, RunPicture

_KEPT_SECONDS = 60.0
_MOST_RUNS = 32
_MOST_CALLS = 200_000
"""Of all pictures; a call takes about half a kilobyte. The one that is asked for is kept whatever its size."""


class Pictures:
    """One per server. Pictures are read on when they are asked for, and dropped a minute after the last time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[RunPicture, float]] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._kept)

    async def read(self, run_id: str, attended: Attended | None) -> RunPicture:
        """The picture of that run as it is now; ``attended`` is the run when it is under way where it can be watched.

        Raises:
            RunNotFound: there is no such run.
            StoreError: something of it is missing or damaged.
        """
        picture, _ = self._kept.get(run_id) or (RunPicture(self._store, run_id), 0.0)
        self._kept[run_id] = picture, time.monotonic()
        self._kept.move_to_end(run_id)
        try:
            await picture.refresh(attended)
        except RunNotFound:
            self._kept.pop(run_id, None)
            raise
        self._drop()
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._swept)
        return picture

    def close(self) -> None:
        """Drop all of them."""
        self._kept.clear()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _swept(self) -> None:
        self._sweep = None
        self._drop()
        if self._kept:
            self._sweep = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._swept)

    def _drop(self) -> None:
        old = time.monotonic() - _KEPT_SECONDS
        calls = sum(picture.call_count for picture, _ in self._kept.values())
        for run_id, (picture, asked) in list(self._kept.items()):
            too_many = len(self._kept) > 1 and (len(self._kept) > _MOST_RUNS or calls > _MOST_CALLS)
            if asked > old and not too_many:
                return
            del self._kept[run_id]
            calls -= picture.call_count
