"""Locks of this process on a store and on its runs."""

import fcntl
import hashlib
import os
from pathlib import Path


class LockFile:
    """One byte of one file for each run, locked by its owner.

    POSIX record locks: thousands of them cost one open file, and the kernel drops them when the process ends, however
    it ends. They would all be lost if this process closed the file anywhere else, so there is one per open store.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held: set[str] = set()

    def lock(self, run_id: str) -> bool:
        """Whether the run is ours from now on; False when somebody has it, another part of this process included."""
        if run_id in self._held:
            return False
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(run_id))
        except (BlockingIOError, PermissionError):
            return False
        self._held.add(run_id)
        return True

    async def take(self, run_id: str) -> bool:
        """The same; the kernel answers at once."""
        return self.lock(run_id)

    def unlock(self, run_id: str) -> None:
        """Give the run free if it is ours; after ``close`` none is."""
        if run_id in self._held:
            self._held.discard(run_id)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(run_id))

    def close(self) -> None:
        """Give every run free."""
        self._held.clear()
        os.close(self._descriptor)


class DirectoryLock:
    """A store's directory: shared by all who have the store open, or held alone by one who replaces its file.

    A lock of the open descriptor (flock), so what else this process opens and closes there does not end it; the kernel
    drops it when the process ends, however it ends.
    """

    def __init__(self, path: Path, *, alone: bool) -> None:
        """Raises ``BlockingIOError`` when others hold it so that they exclude this; does not wait."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._closed = False
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BaseException:
            self.close()
            raise

    def sync(self) -> None:
        """Make the names in the directory durable."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Give it free. Idempotent."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)


def _offset(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:7], "big")
