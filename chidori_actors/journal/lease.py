"""A run has one owner at a time: a held file lock, and an epoch that every write for the run checks."""

import fcntl
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import orjson

from ..errors import RunOwned
from .environment import store_error
from .store import Fence, Store
from .writes import epoch_key

_ATTEMPTS = 100
_MAX_CONTENT = 4096


class Lease:
    """The ownership of a run by this process; ``fence`` goes with every write for the run.

    The lock ends with the process, however it ends, so the run of a dead process can be acquired at once. The
    epoch keeps out a former owner whose lock was lost without its noticing (its lease file was removed).
    """

    def __init__(self, fence: Fence, path: Path, descriptor: int) -> None:
        self.fence = fence
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    async def acquire(cls, store: Store, run_id: str, owner: str) -> "Lease":
        """Become the owner of the run; ``owner`` is who we are, in words, for whoever is refused.

        Raises:
            RunOwned: a live process (this one included) owns the run; the message names it.
            StoreError: the lease or the epoch cannot be written.
        """
        path = store.leases / hashlib.sha256(run_id.encode()).hexdigest()[:32]
        content = orjson.dumps(
            {
                "run_id": run_id,
                "owner": owner,
                "pid": os.getpid(),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        try:
            descriptor = _lock(path, run_id)
        except OSError as error:
            raise store_error(error, store.path) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
            epoch = await store.increment(epoch_key(run_id))
        except OSError as error:
            _unlock(path, descriptor)
            raise store_error(error, store.path) from error
        except BaseException:
            _unlock(path, descriptor)
            raise
        return cls(Fence(run_id, epoch), path, descriptor)

    def release(self) -> None:
        """Give the run free. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _unlock(self._path, descriptor)


def _lock(path: Path, run_id: str) -> int:
    """The descriptor of the lease file, locked.

    An owner removes the file while it holds the lock, so the file that we locked may not be the one that is
    at ``path`` any more; then the next attempt takes that one.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            content = os.pread(descriptor, _MAX_CONTENT, 0)
            os.close(descriptor)
            raise _owned(run_id, content) from None
        except OSError:
            os.close(descriptor)
            raise
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)
    raise RunOwned(f"run {run_id} changes its owner all the time", hint="try again in a moment")


def _unlock(path: Path, descriptor: int) -> None:
    if _is_at(path, descriptor):
        path.unlink(missing_ok=True)
    os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _owned(run_id: str, content: bytes) -> RunOwned:
    hint = "wait until it ends or stop that process, then run the command again"
    try:
        holder = orjson.loads(content)
        who = f"{holder['owner']} (pid {holder['pid']}, since {holder['since']})"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        # Its owner has locked the file and not written it yet.
        who = "another process"
    return RunOwned(f"run {run_id} is owned by {who}", hint=hint)
