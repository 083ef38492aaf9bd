"""Forks: 100 branches, nested forks, images, bytes in the store, branches from history, memory of live branches."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import lmdb

from chidori_actors.host.function import Question
from chidori_actors.journal.lanes import Started, read_lane
from chidori_actors.journal.packing import pack
from chidori_actors.journal.writes import DATABASES
from chidori_actors.runtime import Runtime, open_runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Paused
from chidori_actors.settings import Settings
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.image import Image
from chidori_actors.vm.machine import Bounds, Call, Machine

from .measure import Figure, private_mb, repeat
from .scenery import Input, complete, new_vm, own_process, own_store, start

_FRESH: dict[str, Input] = {"calls": 0, "megabytes": 0, "ms": 50, "ask": False}
_DEEP: dict[str, Input] = {"calls": 10_000, "megabytes": 4, "ms": 50, "ask": False}
_KEY = bytes(16)
"""Of an image in the store."""
_WAITING: dict[str, Input] = {"calls": 0, "megabytes": 0, "ms": 0, "ask": True}


def measure() -> list[Figure]:
    """Every figure of this suite; takes five to eight minutes and 4.5 GB of memory."""
    return [*_times(), *_images(), *_stored(), *_history(), *_memory()]


# -- how long forks take -----------------------------------------------------------------------------------------------


def _times() -> list[Figure]:
    # The first run of a process loads what later ones find there.
    _fork_seconds("forking", **_FRESH, branches=1)
    return [
        _time("fork of 100 branches x 50 ms after 10,000 calls, 4 MB heap", "0.15", "forking", **_DEEP, branches=100),
        _time("fork of 100 branches x 50 ms, fresh VM", "0.15", "forking", **_FRESH, branches=100),
        _time("fork of 1,000 branches x 50 ms, fresh VM", "", "forking", **_FRESH, branches=1000),
        _time("10 nested forks, 50 ms beside each", "", "nesting", levels=10, ms=50),
    ]


def _time(name: str, aim: str, agent: str, **options: Input) -> Figure:
    return repeat(name, "s", lambda: _fork_seconds(agent, **options), aim=aim)


def _fork_seconds(agent: str, **options: Input) -> float:
    """Seconds from the agent's first call of ``parallel`` to the call that it makes when it has the results."""

    async def once(settings: Settings) -> float:
        async with open_runtime(settings) as runtime:
            result = await complete(runtime, agent, **options)
            calls = [entry for entry in read_lane(runtime.store, result.meta.lane) if isinstance(entry, Started)]
            forked = next(call for call in calls if call.function == "parallel")
            return (calls[-1].at_ms - forked.at_ms) / 1000

    with own_store() as settings:
        return asyncio.run(once(settings))


# -- images ------------------------------------------------------------------------------------------------------------


def _images() -> list[Figure]:
    figures: list[Figure] = []
    for calls in (0, 1_000, 10_000, 50_000):
        figures += _image(f"image after {calls:,} calls", calls, 0)
    for megabytes in (1, 4, 16):
        figures += _image(f"image after 1,000 calls, {megabytes} MB heap", 1_000, megabytes)
    return figures


def _image(name: str, calls: int, megabytes: int) -> list[Figure]:
    parent, call = _at_fork(calls, megabytes)
    image = parent.fork_image()
    golden = load_engine().golden_memory
    stored = pack(_KEY, {}, image.encode(golden))
    figures = [
        Figure(f"{name}: its pages", "KB", len(image.pages) / 1e3, (len(image.pages) / 1e3,)),
        Figure("  as stored", "KB", len(stored) / 1e3, (len(stored) / 1e3,)),
        repeat("  taken", "ms", lambda: _milliseconds(parent.fork_image)),
        repeat(
            "  compressed and hashed",
            "ms",
            lambda: _milliseconds(lambda: pack(_KEY, {}, image.encode(load_engine().golden_memory))),
        ),
        repeat("  a branch restored from it", "ms", lambda: _milliseconds(lambda: _branch(image, call).close())),
    ]
    parent.close()
    return figures


def _milliseconds(work: Callable[[], object], times: int = 20) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e3


def _at_fork(calls: int, megabytes: int, branches: int = 1) -> tuple[Machine, int]:
    """A VM that has made ``calls`` calls and then ``parallel``, and the ordinal of that."""
    parent = new_vm("forking", calls=calls, megabytes=megabytes, branches=branches, ms=50, ask=False)
    for ordinal in range(1, calls + 1):
        parent.step([(ordinal, b"[%d,1,null]" % ordinal)])
    return parent, calls + 1


def _branch(image: Image, call: int, index: int = 0) -> Machine:
    """A branch of that call, waiting for its timer."""
    branch = Machine.restore(load_engine(), image, Bounds())
    said = branch.fork({"call": call, "index": index, "random": [1, 2, 3, index]}, 0, 10)
    if not any(isinstance(item, Call) and item.function == "timer" for item in said):
        raise RuntimeError(f"the branch does not wait for a timer: {said}")
    return branch


# -- bytes in the store ------------------------------------------------------------------------------------------------


def _stored() -> list[Figure]:
    name = "store of a run of 1,000 branches"
    return [
        *_store_bytes(f"{name} that ended", _run_to_end),
        *_store_bytes(f"{name} that wait, each with an image", _run_to_pause),
    ]


def _store_bytes(name: str, run: Callable[[Runtime], Awaitable[None]]) -> list[Figure]:
    async def once(settings: Settings) -> None:
        async with open_runtime(settings) as runtime:
            await run(runtime)

    totals = []
    for _ in range(3):
        with own_store() as settings:
            asyncio.run(once(settings))
            used = _bytes_of(settings.store)
        totals.append(sum(used.values()) / 1e3)
    parts = ", ".join(f"{database} {size / 1e3:.0f}" for database, size in used.items() if size > 20e3)
    return [Figure(f"{name} ({parts})", "KB", statistics.median(totals), tuple(totals))]


async def _run_to_end(runtime: Runtime) -> None:
    await complete(runtime, "forking", **_FRESH, branches=1000)


async def _run_to_pause(runtime: Runtime) -> None:
    result = await start(runtime, "forking", Attendance(), **_WAITING, branches=1000)
    if not isinstance(result.rest, Paused):
        raise RuntimeError(f"the benchmark's agent did not pause: {result.rest}")


def _bytes_of(store: Path) -> dict[str, int]:
    """Bytes of the pages that each database of a closed store uses."""
    with (
        lmdb.open(str(store), readonly=True, max_dbs=len(DATABASES)) as environment,
        environment.begin() as transaction,
    ):
        used: dict[str, int] = {}
        for name in DATABASES:
            pages = transaction.stat(environment.open_db(name.encode(), transaction, create=False))
            used[name] = pages["psize"] * (pages["branch_pages"] + pages["leaf_pages"] + pages["overflow_pages"])
    return used


# -- branches from history ---------------------------------------------------------------------------------------------


def _history() -> list[Figure]:
    short = [_branch_off(200, 1000)]  # long, and its bytes hardly vary
    long = [_branch_off(10_000, 10) for _ in range(3)]
    return [
        _median("1,000 branches from the history of a run of 200 calls: store grows by", "KB", [kb for kb, _ in short]),
        _median("  one of them", "ms", [ms for _, ms in short]),
        _median("10 branches from the history of a run of 10,000 calls: store grows by", "KB", [kb for kb, _ in long]),
        _median("  one of them", "ms", [ms for _, ms in long]),
    ]


def _median(name: str, unit: str, runs: list[float]) -> Figure:
    return Figure(name, unit, statistics.median(runs), tuple(runs))


def _branch_off(calls: int, branches: int) -> tuple[float, float]:
    """KB that the store grows by, and ms that each takes, when a run gets branches at its last call but ten."""

    async def run(settings: Settings) -> str:
        async with open_runtime(settings) as runtime:
            return (await complete(runtime, "sequential", calls=calls)).meta.id

    async def branch(settings: Settings, run_id: str) -> float:
        async with open_runtime(settings) as runtime:
            began = time.perf_counter()
            for _ in range(branches):
                await runtime.branch(run_id, calls - 10, result=b"null")
            return (time.perf_counter() - began) / branches * 1e3

    with own_store() as settings:
        run_id = asyncio.run(run(settings))
        before = sum(_bytes_of(settings.store).values())
        milliseconds = asyncio.run(branch(settings, run_id))
        return (sum(_bytes_of(settings.store).values()) - before) / 1e3, milliseconds


# -- memory ------------------------------------------------------------------------------------------------------------


def _memory() -> list[Figure]:
    return [
        _private("1,000 live branches, VMs alone", "forks.vms_mb(1_000, 0)", "250"),
        _private("10,000 live branches, VMs alone", "forks.vms_mb(10_000, 0)", "2,000"),
        _private("1,000 live branches of a 4 MB heap, VMs alone", "forks.vms_mb(1_000, 4)"),
        _private("1,000 branches that wait in a run", "forks.run_mb(1_000)", "250"),
    ]


def _private(name: str, code: str, aim: str = "") -> Figure:
    rows = own_process(f"from bench import forks; print({code})")[0]
    return Figure(f"{name}: private memory", "MB", statistics.median(rows), rows, aim)


def vms_mb(count: int, megabytes: int) -> float:
    """Private memory in MB of ``count`` branches that wait for a call, after 1,000 calls and with that heap."""
    parent, call = _at_fork(1_000, megabytes)
    image = parent.fork_image()
    before = private_mb()
    branches = [_branch(image, call) for _ in range(count)]
    used = private_mb() - before
    for branch in branches:
        branch.close()
    return used


def run_mb(count: int) -> float:
    """Private memory in MB of a run of which ``count`` branches wait for a person."""

    async def once(settings: Settings) -> float:
        async with open_runtime(settings) as runtime:
            await complete(runtime, "forking", **_FRESH, branches=1)
            before = private_mb()
            people = _People(count)
            run = asyncio.create_task(
                start(runtime, "forking", Attendance(questions=people), **_WAITING, branches=count)
            )
            await people.all_asked.wait()
            used = private_mb() - before
            run.cancel()
            await asyncio.wait([run])
            return used

    with own_store() as settings:
        return asyncio.run(once(settings))


class _People:
    """They think about ``count`` questions and answer none."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.all_asked = asyncio.Event()

    async def ask(self, question: Question) -> str:
        self._left -= 1
        if not self._left:
            self.all_asked.set()
        await asyncio.Event().wait()
        return question.prompt
