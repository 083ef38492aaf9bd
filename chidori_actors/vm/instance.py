"""One WebAssembly instance of the engine with its shim and glue. Knows bytes and addresses, nothing of JavaScript.

wasmtime-py's public classes convert and type-check at every call and wrap all exports of an instance at once. A step
is called for every host call of every agent, so the one hot call and the export look-up use its C bindings, as the
public classes do.
"""

import ctypes
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, cast

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime._extern import wrap_extern

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


class Linkage:
    """What all instances of one guest module share: compiled modules and the order of their imports."""

    def __init__(
        self,
        engine: wasmtime.Engine,
        guest: wasmtime.Module,
        addresses: Addresses,
        linker: wasmtime.Linker | None = None,
    ) -> None:
        self.engine = engine
        self.guest = guest
        self.addresses = addresses
        self.linker = linker or import_linker(engine)
        self.shim = load_module(engine, _assemble("shim", None), "shim")
        self.glue = load_module(engine, _assemble("glue", addresses), "glue")
        self.guest_imports = [(item.module, item.name or "") for item in guest.imports]
        self.glue_imports = [(item.module, item.name or "") for item in self.glue.imports]


def _assemble(name: str, addresses: Addresses | None) -> bytes:
    text = (files(__package__) / f"{name}.wat").read_text()
    if addresses is not None:
        for field in Addresses.__dataclass_fields__:
            text = text.replace(f"{{{field}}}", str(getattr(addresses, field)))
    return text.encode()


class Instance:
    """Addresses are offsets into the VM's memory, whose base is read anew each time because it may move.

    Every method but ``close`` raises ``wasmtime.Trap`` or ``wasmtime.WasmtimeError`` when the VM fails; a VM that
    trapped is unusable from then on.
    """

    __slots__ = ("_args", "_context", "_guest", "_memory", "_result", "_step", "store")

    def __init__(self, linkage: Linkage, store: wasmtime.Store) -> None:
        self.store = store
        shim = wasmtime.Instance(store, linkage.shim, [])
        guest_imports = [
            cast(wasmtime.Func, linkage.linker.get(store, module, name))
            if name.startswith("host_module")
            else _export(store, shim, name)
            for module, name in linkage.guest_imports
        ]
        self._guest = wasmtime.Instance(store, linkage.guest, guest_imports)
        glue_imports = [
            _export(store, self._guest if module == "engine" else shim, name)
            for module, name in linkage.glue_imports
        ]
        glue = wasmtime.Instance(store, linkage.glue, glue_imports)
        self._memory = cast(wasmtime.Memory, _export(store, self._guest, "memory"))
        self._step = cast(wasmtime.Func, _export(store, glue, "step"))._func
        self._context = store._context()
        self._args = (ffi.wasmtime_val_t * 2)()
        self._args[0].kind = self._args[1].kind = ffi.WASMTIME_I32.value
        self._result = (ffi.wasmtime_val_t * 1)()

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
        return cast(int, self._result[0].of.i64)

    def call(self, name: str, *args: int) -> int:
        """Call an export of the engine by name: slow, for what happens seldom."""
        return cast(int, cast(wasmtime.Func, _export(self.store, self._guest, name))(self.store, *args))

    def memory_size(self) -> int:
        return self._memory.data_len(self.store)

    def read(self, at: int, size: int) -> bytes:
        return ctypes.string_at(self._base() + at, size)

    def write(self, at: int, data: bytes | bytearray) -> None:
        source = data if isinstance(data, bytes) else (ctypes.c_char * len(data)).from_buffer(data)
        ctypes.memmove(self._base() + at, source, len(data))

    def clear(self, at: int, size: int) -> None:
        ctypes.memset(self._base() + at, 0, size)

    def grow(self, size: int) -> None:
        """Make the memory at least ``size`` bytes."""
        missing = size - self.memory_size()
        if missing > 0:
            self._memory.grow(self.store, (missing + 65535) // 65536)

    def close(self) -> None:
        """Free the VM now instead of at the next garbage collection."""
        self.store.close()

    def _base(self) -> int:
        return ctypes.addressof(self._memory.data_ptr(self.store).contents)


def _export(store: wasmtime.Store, instance: wasmtime.Instance, name: str) -> Any:
    item = ffi.wasmtime_extern_t()
    key = name.encode()
    found = ffi.wasmtime_instance_export_get(
        store._context(),
        ctypes.byref(instance._instance),
        ctypes.create_string_buffer(key, len(key)),
        len(key),
        ctypes.byref(item),
    )
    if not found:
        raise LookupError(f"the engine has no export {name}")
    return wrap_extern(item)
