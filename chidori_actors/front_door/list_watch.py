"""Whether something changed in the list of runs, for clients that wait for that."""

import asyncio
import uuid
from collections.abc import Hashable, Iterator

from ..errors import StoreError
from ..journal.checksum import CHECKSUM_BYTES
from ..journal.events import last_event
from ..journal.lease import holder
from ..journal.runs import decode_run, newest_run_ids, stored_status
from ..journal.store import Store
from .live_runs import LiveRuns

_LOOK_SECONDS = 1.0
"""So often the store is looked at for what other processes do, while somebody waits and not otherwise."""
_NEWEST = 100
"""So many of the newest runs are watched for that. What another process does to an older one shows with the next
change, or when the list is read again."""


class ListWatch:
    """One per server. However many clients wait, the store is looked at once a second; what the server's own runs do
    is known at once."""

    def __init__(self, store: Store, runs: LiveRuns) -> None:
        self._store = store
        self._runs = runs
        # Versions of another life of the server are none of this one's.
        self._life = uuid.uuid4().hex[:8]
        self._number = 0
        self._seen: Hashable = None
        self._changes = -1
        self._looked_at = 0.0

    def version(self) -> str:
        """That of the list now; to be asked for before the list is read, so that no change in between is missed."""
        self._look()
        return f"{self._life}-{self._number}"

    async def changed(self, after: str, seconds: float) -> None:
        """Wait until the list is another than that of the version ``after``, at most so long, or until the server
        stops."""
        until = asyncio.get_running_loop().time() + seconds
        while not self._runs.is_closing:
            news = self._runs.news
            if self._version_of_late() != after:
                return
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, _LOOK_SECONDS)):
                    await news.wait()
            except TimeoutError:
                continue

    def _version_of_late(self) -> str:
        """The same, of at most a second ago."""
        age = asyncio.get_running_loop().time() - self._looked_at
        if self._changes != self._runs.changes or age >= _LOOK_SECONDS:
            self._look()
        return f"{self._life}-{self._number}"

    def _look(self) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        self._changes = self._runs.changes
        seen = (self._changes, *self._newest())
        if seen != self._seen:
            self._seen = seen
            self._number += 1

    def _newest(self) -> Iterator[Hashable]:
        for run_id in newest_run_ids(self._store, _NEWEST):
            value = self._store.get("runs", run_id.encode())
            if value is None:
                continue
            yield run_id, value[:CHECKSUM_BYTES]
            try:
                if stored_status(self._store, run_id, value) == "running":
                    # Its calls and its end, should its process be killed, are not written there.
                    is_held = self._runs.get(run_id) is not None or holder(self._store, run_id) is not None
                    yield is_held, last_event(self._store, decode_run(self._store, run_id, value, blobs=False).lane)
            except StoreError:
                continue  # the checksum tells when it is mended
