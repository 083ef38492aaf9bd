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
from .store import Announce
from .store_errors import store_error

_FILE = "server"
_LONGEST_CLAIM = 4096


class ServerLock:
    """A lock of an open descriptor (flock) on a file of the store, which says in JSON who has it."""

    @staticmethod
    @asynccontextmanager
    async def held(store: Path, leases: Path) -> AsyncIterator[Announce]:
        """Have the store to ourselves, as far as servers go; does not wait. What it gives is to be told our URL.

        Raises:
            StoreError: a live server has it, this process included (the message names it), or its file cannot be
                written.
        """
        try:
            descriptor = _claim(leases / _FILE, store)
        except OSError as error:
            raise store_error(error, store) from error
        try:
            yield lambda url: _write(descriptor, url)
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
            raise _served(descriptor, store) from None
        _write(descriptor, None)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, url: str | None) -> None:
    """Say who we are, and where, once that is known."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    claim = orjson.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since, "url": url})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, claim, 0)


def _served(descriptor: int, store: Path) -> StoreError:
    """Somebody else has the store."""
    owner, hint = "another server", "stop that server, or set CHIDORI_DB_PATH to another store"
    try:
        found = orjson.loads(os.pread(descriptor, _LONGEST_CLAIM, 0))
        owner = f"another server (host {found['host']}, pid {found['pid']}, since {found['since']})"
        if (url := found.get("url")) is not None:
            owner += f" at {url}"
            hint = f"its console is at {url}/console/; or {hint}"
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass  # it has the lock and has not written its name yet
    return StoreError(f"the store {store} is served by {owner}", hint=hint)
