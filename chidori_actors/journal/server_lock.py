"""One server at a time drives a store: a lock that ends with its process, however that ends."""

import fcntl
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from ..errors import StoreError
from .store_errors import store_error

_FILE = "server"
_LONGEST_CLAIM = 4096


class ServerLock:
    """A lock of an open descriptor (flock) on a file of the store, which says in JSON who has it."""

    @staticmethod
    @asynccontextmanager
    async def held(store: Path, leases: Path) -> AsyncIterator[None]:
        """Have the store to ourselves, as far as servers go; does not wait.

        Raises:
            StoreError: a live server has it, this process included (the message names it), or its file cannot be
                written.
        """
        try:
            descriptor = _claim(leases / _FILE, store)
        except OSError as error:
            raise store_error(error, store) from error
        try:
            yield
        finally:
            os.close(descriptor)


def _claim(path: Path, store: Path) -> int:
    """The descriptor that has the lock until it is closed."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"the store {store} is served by {_owner(descriptor)}",
                hint="stop that server, or set CHIDORI_DB_PATH to another store",
            ) from None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        claim = orjson.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, claim, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _owner(descriptor: int) -> str:
    try:
        found = orjson.loads(os.pread(descriptor, _LONGEST_CLAIM, 0))
        return f"another server (host {found['host']}, pid {found['pid']}, since {found['since']})"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "another server"  # it has the lock and has not written its name yet
