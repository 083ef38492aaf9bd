"""Locks of this process on the runs of a store."""

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

    def unlock(self, run_id: str) -> None:
        """Give the run free if it is ours; after ``close`` none is."""
        if run_id in self._held:
            self._held.discard(run_id)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(run_id))

    def close(self) -> None:
        """Give every run free."""
        self._held.clear()
        os.close(self._descriptor)


def _offset(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:7], "big")
