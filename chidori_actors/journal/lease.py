"""A run has one owner at a time: a file lock that ends with its process, and an epoch that every write checks."""

import asyncio
import os
from datetime import UTC, datetime

import orjson

from ..errors import RunOwned
from .store import Locks, Store
from .store_errors import store_error
from .writes import Fence, Write, epoch_key, owner_key

_ATTEMPTS = 3
_PAUSE_S = 0.01


class Lease:
    """The ownership of a run by this process; ``fence`` goes with every write for the run.

    The epoch keeps out a former owner whose lock was lost without its noticing (the lock file was removed).
    """

    def __init__(self, fence: Fence, locks: Locks) -> None:
        self.fence = fence
        self._locks: Locks | None = locks

    @classmethod
    async def acquire(cls, store: Store, run_id: str, owner: str) -> "Lease":
        """Become the owner of the run; ``owner`` is who we are, in words, for whoever is refused.

        Raises:
            RunOwned: a live process (this one included) owns the run; the message names it.
            StoreError: the lease or the epoch cannot be written.
        """
        try:
            locks = store.locks()
            for attempt in range(1, _ATTEMPTS + 1):
                if await locks.take(run_id):
                    break
                if attempt == _ATTEMPTS:
                    raise RunOwned(
                        f"run {run_id} is owned by {_owner(store, run_id)}",
                        hint="wait until it ends or stop that process, then run the command again",
                    )
                await asyncio.sleep(_PAUSE_S)  # `holder` locks for a moment to see whether it can
        except OSError as error:
            raise store_error(error, store.path) from error
        since = datetime.now(UTC).isoformat(timespec="seconds")
        claim = orjson.dumps({"owner": owner, "pid": os.getpid(), "since": since})
        try:
            epoch = await store.increment(epoch_key(run_id), [Write("meta", owner_key(run_id), claim)])
        except BaseException:
            locks.unlock(run_id)
            raise
        return cls(Fence(run_id, epoch), locks)

    def release(self) -> None:
        """Give the run free. Idempotent."""
        locks, self._locks = self._locks, None
        if locks is not None:
            locks.unlock(self.fence.run_id)


def holder(store: Store, run_id: str) -> str | None:
    """Who owns the run now, in words, or None when nobody does: a run that is `running` then was interrupted.

    Raises:
        StoreError: the lease cannot be looked at.
    """
    try:
        locks = store.locks()
        if locks.lock(run_id):
            locks.unlock(run_id)
            return None
    except OSError as error:
        raise store_error(error, store.path) from error
    return _owner(store, run_id)


def _owner(store: Store, run_id: str) -> str:
    claim = store.get("meta", owner_key(run_id))
    try:
        found = orjson.loads(claim or b"")
        return f"{found['owner']} (pid {found['pid']}, since {found['since']})"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "another process"  # it has locked the run and not written its name yet
