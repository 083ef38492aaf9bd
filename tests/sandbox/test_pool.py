"""The processes of a pool: how many, how they end, and that none is left."""

import asyncio
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from chidori_actors.sandbox import frames
from chidori_actors.sandbox import pool as pool_module
from chidori_actors.sandbox.execution import Kind, SandboxFault
from chidori_actors.sandbox.pool import WorkerPool
from tests.support.agents import within

from .executions import SHORT_MS, children, execution, fault, outcome, value, workers, zombies

LOOP = "for (;;) {}"
SECONDS = 60
"""Generous: the machine may be busy."""


async def started(before: set[int]) -> int:
    """The worker that was started since, once it is there."""
    async with asyncio.timeout(SECONDS):
        while True:
            if new := workers() - before:
                return new.pop()
            await asyncio.sleep(0.001)


async def busy(pid: int) -> None:
    """Wait until the process has worked for some time."""

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    until = ticks() + 5
    async with asyncio.timeout(SECONDS):
        while True:
            if ticks() >= until:
                return
            await asyncio.sleep(0.001)


async def gone(pid: int) -> None:
    """Wait until a process that need not be a child of this one has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert await asyncio.to_thread(poll.poll, SECONDS * 1000), f"process {pid} is still there"
    finally:
        os.close(descriptor)


async def test_many_endless_loops_at_once_end_and_a_good_one_after_them_works() -> None:
    pool = WorkerPool("engine", 4)
    try:
        ended = await within(SECONDS, asyncio.gather(*(fault(pool, "js", LOOP, timeout_ms=50) for _ in range(20))))
        assert [failed.bound for failed in ended] == ["timeoutMs"] * 20
        assert await value(pool, "js", "1 + 1") == 2
    finally:
        await pool.aclose()


async def test_two_hundred_at_once_use_no_more_processes_than_the_pool_may_have() -> None:
    before = workers()
    pool = WorkerPool("engine", 2)
    try:
        work = [value(pool, "js", "input * 2", number) for number in range(200)]
        assert await within(SECONDS, asyncio.gather(*work)) == [2 * number for number in range(200)]
        assert len(workers() - before) == 2
    finally:
        await pool.aclose()
    assert workers() == before


async def test_killed_processes_leave_neither_descriptors_nor_zombies() -> None:
    pool = WorkerPool("engine", 2)
    try:
        await value(pool, "js", "1")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(8):
            await asyncio.gather(*(fault(pool, "js", LOOP, timeout_ms=1) for _ in range(2)))
        assert await value(pool, "js", "1") == 1
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        assert len(zombies()) <= 2
    finally:
        await pool.aclose()
    assert not zombies()


async def test_a_process_that_is_killed_in_the_middle_fails_that_execution_and_no_other() -> None:
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        running = asyncio.create_task(outcome(pool, "js", LOOP))
        waiting = asyncio.create_task(value(pool, "js", "1 + 1"))
        os.kill(await started(before), signal.SIGKILL)
        with pytest.raises(SandboxFault, match=r"the sandbox's process (ended unexpectedly|did not start) \(SIGKILL\)"):
            await within(SECONDS, running)
        assert await within(SECONDS, waiting) == 2
    finally:
        await pool.aclose()


async def test_a_process_that_is_killed_while_it_is_idle_is_replaced() -> None:
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        await value(pool, "js", "1")
        [pid] = workers() - before
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        assert await value(pool, "js", "1 + 1") == 2
        assert workers() - before != {pid}
    finally:
        await pool.aclose()


@pytest.mark.parametrize("kind", ["js", "python"])
async def test_cancelling_an_execution_ends_its_process_at_once(kind: Kind) -> None:
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        source = LOOP if kind == "js" else "while True: pass"
        await value(pool, kind, "1")
        [pid] = workers() - before
        own = children(pid)
        assert len(own) == (kind == "python")
        running = asyncio.create_task(outcome(pool, kind, source, timeout_ms=600_000))
        await busy(own.copy().pop() if own else pid)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for process in {pid, *own}:
            await gone(process)
        assert await value(pool, "js", "1 + 1") == 2
    finally:
        await pool.aclose()


async def test_a_reply_is_nobody_else_s_although_this_process_was_held_up_beyond_the_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-Z and `fg`, say: the time is over, and the reply has come all the same."""
    monkeypatch.setattr(pool_module, "_GRACE_SECONDS", 0.0)
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        await value(pool, "js", "1")
        [pid] = workers() - before
        # It takes longer than a turn of this loop.
        work = "(() => { let i = 0; while (i < 300_000) i += 1; return 'first'; })()"
        first = asyncio.create_task(value(pool, "js", work, timeout_ms=500))
        second = asyncio.create_task(value(pool, "js", "'second'"))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.7)  # nothing else runs for longer than the timeout
        assert await within(SECONDS, asyncio.gather(first, second)) == ["first", "second"]
        assert workers() - before != {pid}
    finally:
        await pool.aclose()


async def test_a_process_that_does_not_stop_in_time_is_given_up_and_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_GRACE_SECONDS", 0.0)
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        await value(pool, "js", "1")
        [pid] = workers() - before
        os.kill(pid, signal.SIGSTOP)
        stopped = asyncio.create_task(fault(pool, "js", "'late'", timeout_ms=SHORT_MS))
        waiting = asyncio.create_task(value(pool, "js", "1 + 1"))
        assert (await within(SECONDS, stopped)).bound == "timeoutMs"
        assert await within(SECONDS, waiting) == 2
    finally:
        await pool.aclose()


async def test_without_room_for_another_process_an_execution_fails_in_words_and_later_ones_work() -> None:
    pool = WorkerPool("engine", 1)
    bounds = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(set(range(max(used) + 2)) - used), bounds[1]))
    try:
        for _ in range(3):
            with pytest.raises(SandboxFault, match=r"the sandbox's process did not start: Too many open files"):
                await outcome(pool, "js", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, bounds)
    try:
        assert await value(pool, "js", "1 + 1") == 2
    finally:
        await pool.aclose()


async def test_closing_a_pool_ends_its_processes_and_theirs() -> None:
    before = workers()
    pool = WorkerPool("engine", 2)
    await asyncio.gather(value(pool, "python", "1"), value(pool, "python", "1"))
    ours = workers() - before
    theirs = {child for pid in ours for child in children(pid)}
    assert ours
    assert theirs
    await pool.aclose()
    assert workers() == before
    for pid in theirs:
        await gone(pid)


ORPHANS = """
import asyncio, sys
from chidori_actors.sandbox.pool import WorkerPool
from tests.sandbox.executions import execution, outcome, workers

async def main():
    pool = WorkerPool("engine", 3)
    first = [outcome(pool, kind, source) for kind, source in (("python", "1"), ("js", "1"), ("js", "1"))]
    await asyncio.gather(*first)
    running = [
        asyncio.create_task(outcome(pool, "js", "for (;;) {}", timeout_ms=600_000)),
        asyncio.create_task(outcome(pool, "python", "while True: pass", timeout_ms=600_000)),
    ]
    await asyncio.sleep(0)
    print(*workers(), flush=True)
    await asyncio.gather(*running)

asyncio.run(main())
"""


async def test_workers_end_when_the_process_that_started_them_is_killed() -> None:
    """Also those in an endless loop, and what they started."""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANS, cwd=root, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in (await within(SECONDS, process.stdout.readline())).split()]
    everyone = {*pids, *(child for pid in pids for child in children(pid))}
    process.kill()
    await process.wait()
    assert len(pids) == 3
    for pid in everyone:
        await gone(pid)


async def test_a_request_that_is_too_large_starts_no_process() -> None:
    before = workers()
    pool = WorkerPool("engine", 1)
    with pytest.raises(SandboxFault, match="the source and its input are larger than 16 MB"):
        await pool.execute(execution("js", "input", "x" * (17 << 20)))
    assert workers() == before


async def test_a_reply_that_is_no_reply_fails_the_execution_and_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = WorkerPool("engine", 1)
    try:
        assert await value(pool, "js", "1") == 1
        for name, forged in (("_MOST_REPLY_BYTES", 1), ("read_reply", lambda payload: frames.read_reply(payload[:-1]))):
            with monkeypatch.context() as context:
                context.setattr(pool_module, name, forged)
                with pytest.raises(SandboxFault, match="said what cannot be understood"):
                    await value(pool, "js", "[1]")
            assert await value(pool, "js", "2") == 2
    finally:
        await pool.aclose()


async def test_closing_ends_what_is_executed_too() -> None:
    pool = WorkerPool("engine", 1)
    before = workers()
    running = asyncio.create_task(value(pool, "js", LOOP, timeout_ms=600_000))
    pid = await started(before)
    await pool.aclose()
    with pytest.raises(SandboxFault):
        await within(SECONDS, running)
    await gone(pid)


async def test_a_bound_that_not_even_the_engine_fits_is_named() -> None:
    pool = WorkerPool("engine", 1)
    try:
        for megabytes in (1, 2):
            failed = await fault(pool, "js", "1 + 1", memory_mb=megabytes)
            assert (failed.bound, "memoryMb" in str(failed)) == ("memoryMb", True)
    finally:
        await pool.aclose()
