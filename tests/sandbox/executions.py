"""Executions as tests write them, and what is seen of the processes that run them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chidori_actors import exact_json
from chidori_actors.sandbox.execution import Execution, Kind, Outcome, SandboxFault
from chidori_actors.sandbox.pool import WorkerPool

NOW_MS = 1_700_000_000_000
SHORT_MS = 300
"""Of an execution that must be stopped."""
UNEXPECTED = "ended unexpectedly"


def execution(
    kind: Kind, source: str, given: Any = None, *, timeout_ms: int = 20_000, seed: str = "seed", **options: Any
) -> Execution:
    """An execution with bounds that a loaded machine keeps, unless it is told others."""
    bounds: dict[str, Any] = {"memory_mb": 64}
    if kind == "wasm":
        bounds = {"function": "f", "args": [], "memory_pages": 256, "fuel": 10**9}
    return Execution(kind, source, exact_json.dumps(given), timeout_ms, NOW_MS, seed, {**bounds, **options})


async def outcome(pool: WorkerPool, kind: Kind, source: str, given: Any = None, **options: Any) -> Outcome:
    return await pool.execute(execution(kind, source, given, **options))


async def value(pool: WorkerPool, kind: Kind, source: str, given: Any = None, **options: Any) -> Any:
    """The parsed value of an execution that must succeed."""
    return exact_json.loads((await outcome(pool, kind, source, given, **options)).value)


async def fault(pool: WorkerPool, kind: Kind, source: str, given: Any = None, **options: Any) -> SandboxFault:
    """The fault of an execution that must fail, but not by taking its process with it unasked."""
    with pytest.raises(SandboxFault) as caught:
        await outcome(pool, kind, source, given, **options)
    assert UNEXPECTED not in str(caught.value)
    return caught.value


def children(pid: int) -> set[int]:
    """The processes that the process has, dead ones that nobody waited for included."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that ended meanwhile
            found.update(map(int, (task / "children").read_text().split()))
    return found


def workers() -> set[int]:
    """The workers that this process has."""
    return {pid for pid in children(os.getpid()) if b"chidori_actors.sandbox.worker" in _command(pid)}


def zombies() -> set[int]:
    """The processes of this one that ended and that nobody waited for."""
    return {pid for pid in children(os.getpid()) if _state(pid) == "Z"}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
