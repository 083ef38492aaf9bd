"""Who may write a run: the lease of a new one, and the name under which this process holds leases."""

import getpass
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from .errors import RunExists, UsageError
from .journal.lease import Lease
from .journal.run_ids import is_run_id
from .journal.store import Fence, Store


@asynccontextmanager
async def new_run(store: Store, run_id: str | None) -> AsyncIterator[Fence]:
    """The right to write the run of that id (None: a new id), which no run of the store has yet.

    Raises:
        UsageError: it is not an id.
        RunExists: it is taken.
    """
    run_id = run_id or str(uuid.uuid4())
    if not is_run_id(run_id):
        raise UsageError(f"{run_id!r} is not a run id", hint="use 1 to 128 of A-Z a-z 0-9 _ . : -")
    _refuse_taken(store, run_id)
    lease = await Lease.acquire(store, run_id, owner())
    try:
        _refuse_taken(store, run_id)  # another may have run and ended while we waited for the lease
        yield lease.fence
    finally:
        lease.release()


def _refuse_taken(store: Store, run_id: str) -> None:
    if store.get("runs", run_id.encode()) is not None:
        raise RunExists(f"run {run_id} exists already", hint=f"continue it with `chidori resume … {run_id}`")


@cache
def owner() -> str:
    """The user and the machine of this process, as others are told who has a run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
