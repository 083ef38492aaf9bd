"""One WebAssembly instance of the engine with its shim and glue. Knows bytes and addresses, nothing of JavaScript.

wasmtime-py's public classes convert and type-check at every call, and wrap every export of every instance. A step is
called for each host call of each agent and an instance made for each actor, so these two use its C bindings, as the
public classes do. Measured: 26 against 12 us for an empty step, 0.45 against 0.15 ms for an instance.
"""

import ctypes
import struct
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, cast

import wasmtime
from wasmtime import _ffi as ffi

from ..wasm import load_module
from .imports import import_linker


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a VM's memory keeps what the glue needs; the golden image fixes them."""

    settle: int = 0
    take: int = 0
    undefined: int = 0
    out: int = 0
    argv: int = 0
    exchange: int = 0
    objects: int = 0
    promise_class: int = 0


class Linkage:
    """What all instances of one guest module share: compiled modules, and where each import comes from."""

    def __init__(
        self,
        engine: wasmtime.Engine,
        guest: wasmtime.Module,
        addresses: Addresses,
        linker: wasmtime.Linker | None = None,
    ) -> None:
        self.linker = linker or import_linker(engine)
        self.shim = load_module(engine, _assemble("shim", None), "shim")
        self.guest = guest
        self.glue = load_module(engine, _assemble("glue", addresses), "glue")
        self.guest_imports = [_Import.of(item) for item in guest.imports]
        self.glue_imports = [_Import.of(item) for item in self.glue.imports]


@dataclass(frozen=True, slots=True)
class _Name:
    """A name as the C bindings take it."""

    text: Any
    size: int

    @classmethod
    def of(cls, name: str) -> "_Name":
        return cls(ctypes.create_string_buffer(name.encode()), len(name.encode()))


@dataclass(frozen=True, slots=True)
class _Import:
    module: _Name
    name: _Name
    source: str
    """``python``, ``shim`` or ``engine``: who provides it."""

    @classmethod
    def of(cls, item: wasmtime.ImportType) -> "_Import":
        name = item.name or ""
        python = name.startswith("host_module")
        source = "python" if python else "engine" if item.module == "engine" else "shim"
        return cls(_Name.of(item.module), _Name.of(name), source)


NO_DEADLINE = 1 << 40
"""Ticks of the epoch that never pass: for what runs none of the agent's code."""

_MEMORY = _Name.of("memory")
_STEP = _Name.of("step")
_PENDING = _Name.of("pending_promises")


def _assemble(name: str, addresses: Addresses | None) -> bytes:
    text = (files(__package__) / f"{name}.wat").read_text("utf-8")
    if addresses is not None:
        for field in Addresses.__dataclass_fields__:
            text = text.replace(f"{{{field}}}", str(getattr(addresses, field)))
    return text.encode()


class Instance:
    """Addresses are offsets into the VM's memory.

    ``step``, ``call`` and ``grow`` raise ``wasmtime.Trap`` or ``wasmtime.WasmtimeError`` when the VM fails; a VM that
    trapped is unusable from then on.
    """

    __slots__ = ("_args", "_base", "_context", "_glue", "_guest", "_memory", "_result", "_step", "store")

    def __init__(self, linkage: Linkage, store: wasmtime.Store) -> None:
        self.store = store
        self._context = store._context()
        shim = self._instantiate(linkage.shim, linkage.linker, [], {})
        self._guest = self._instantiate(linkage.guest, linkage.linker, linkage.guest_imports, {"shim": shim})
        providers = {"shim": shim, "engine": self._guest}
        glue = self._glue = self._instantiate(linkage.glue, linkage.linker, linkage.glue_imports, providers)
        self._memory = self._export(self._guest, _MEMORY).of.memory
        self._step = self._export(glue, _STEP).of.func
        # All zeros: their kind is 0, which is WASMTIME_I32; `step` sets the values.
        self._args = (ffi.wasmtime_val_t * 2)()
        self._result = (ffi.wasmtime_val_t * 1)()
        self._base = 0
        self.find_base()

    def step(self, start: int, end: int) -> int:
        """The glue's ``step`` over the messages at ``start``: address and length of what was said, see glue.wat."""
        args = self._args
        args[0].of.i32 = start
        args[1].of.i32 = end
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_func_call(
            self._context, ctypes.byref(self._step), args, 2, self._result, 1, ctypes.byref(trap)
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)
        if trap:
            raise wasmtime.Trap._from_ptr(trap)
        self.find_base()
        return self._result[0].of.i64

    def call(self, name: str, *args: int) -> int:
        """Call an export of the engine by name: slow, for what happens seldom."""
        function = wasmtime.Func._from_raw(self._export(self._guest, _Name.of(name)).of.func)
        result = cast(int, function(self.store, *args))
        self.find_base()
        return result

    def pending_promises(self, buffer: int, size: int) -> list[int]:
        """The addresses of the states of all pending promises, see heap.py; ``size`` bytes at ``buffer`` are used."""
        function = wasmtime.Func._from_raw(self._export(self._glue, _PENDING).of.func)
        # What is left of the last step's time may be nothing.
        self.store.set_epoch_deadline(NO_DEADLINE)
        found: list[int] = []
        while True:
            count = cast(int, function(self.store, buffer, size // 4, len(found)))
            here = min(count - len(found), size // 4)
            found += struct.unpack(f"<{here}I", self.read(buffer, 4 * here))
            if len(found) == count:
                return found

    def memory_size(self) -> int:
        return ffi.wasmtime_memory_data_size(self._context, ctypes.byref(self._memory))

    def read(self, at: int, size: int) -> bytes:
        return ctypes.string_at(self._base + at, size)

    def write(self, at: int, data: bytes) -> None:
        ctypes.memmove(self._base + at, data, len(data))

    def clear(self, at: int, size: int) -> None:
        ctypes.memset(self._base + at, 0, size)

    def grow(self, size: int) -> None:
        """Make the memory at least ``size`` bytes."""
        missing = size - self.memory_size()
        if missing > 0:
            wasmtime.Memory._from_raw(self._memory).grow(self.store, (missing + 65535) // 65536)
            self.find_base()

    def close(self) -> None:
        """Free the VM now instead of at the next garbage collection. Nothing else may be called afterwards."""
        self.store.close()

    def find_base(self) -> None:
        """Look again where the memory lies: it may have moved whenever it may have grown."""
        pointer = ffi.wasmtime_memory_data(self._context, ctypes.byref(self._memory))
        self._base = ctypes.addressof(pointer.contents)

    def _instantiate(
        self,
        module: wasmtime.Module,
        linker: wasmtime.Linker,
        imports: list[_Import],
        providers: dict[str, ffi.wasmtime_instance_t],
    ) -> ffi.wasmtime_instance_t:
        items = (ffi.wasmtime_extern_t * len(imports))()
        for place, item in enumerate(imports):
            if item.source == "python":
                name, namespace = item.name, item.module
                found = ffi.wasmtime_linker_get(
                    linker.ptr(),
                    self._context,
                    namespace.text,
                    namespace.size,
                    name.text,
                    name.size,
                    ctypes.byref(items[place]),
                )
                if not found:
                    raise LookupError(f"nothing provides the engine's import {name.text.value!r}")
            else:
                items[place] = self._export(providers[item.source], item.name)
        instance = ffi.wasmtime_instance_t()
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_instance_new(
            self._context, module.ptr(), items, len(imports), ctypes.byref(instance), ctypes.byref(trap)
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)
        if trap:
            raise wasmtime.Trap._from_ptr(trap)
        return instance

    def _export(self, instance: ffi.wasmtime_instance_t, name: _Name) -> ffi.wasmtime_extern_t:
        item = ffi.wasmtime_extern_t()
        if not ffi.wasmtime_instance_export_get(
            self._context, ctypes.byref(instance), name.text, name.size, ctypes.byref(item)
        ):
            raise LookupError(f"the engine has no export {name.text.value!r}")
        return item
