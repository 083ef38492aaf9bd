"""The two imports of the engine that Python answers: which module an import names, and that module's code.

They are asked only while a VM is begun. wasmtime-py's callback registry is global and has no lock, so they are
registered once per process and find the VM in question through its thread.
"""

import threading
from typing import Protocol

import wasmtime


class Memory(Protocol):
    """What an import needs of the VM that makes it."""

    def call(self, name: str, *args: int) -> int: ...

    def find_base(self) -> None: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...


class Sources(Protocol):
    """The modules of one agent."""

    def resolve(self, base: str, specifier: str) -> str | None:
        """The name of the module that ``specifier`` means in module ``base`` (not a module for the entry)."""
        ...

    def code(self, name: str) -> str | None: ...


class NoModules:
    """Answers imports: there are none."""

    def resolve(self, base: str, specifier: str) -> str | None:
        return None

    def code(self, name: str) -> str | None:
        return None


class _Thread(threading.local):
    loading: tuple[Memory, Sources] | None = None


_thread = _Thread()


class ImportsFrom:
    """While this context is open, this thread's VM ``memory`` imports from ``sources``; otherwise imports fail."""

    def __init__(self, memory: Memory, sources: Sources) -> None:
        self._entry = (memory, sources)

    def __enter__(self) -> None:
        _thread.loading = self._entry

    def __exit__(self, *exc: object) -> None:
        _thread.loading = None


def _give(memory: Memory, text: str | None, out_length: int) -> int:
    """Leave ``text`` in the VM's memory, which then owns it; 0 says that there is none."""
    if not text:
        return 0
    data = text.encode()
    try:
        at = memory.call("qjs_alloc", len(data))
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        # The step's deadline passed in here, as a rule. wasmtime-py would hide which trap it was; the VM runs into the
        # same one as soon as it goes on.
        return 0
    if not at:
        return 0
    memory.write(at, data)
    memory.write(out_length, len(data).to_bytes(4, "little"))
    return at


def _resolve(base: int, base_size: int, specifier: int, specifier_size: int, out_length: int) -> int:
    if _thread.loading is None:
        return 0
    memory, sources = _thread.loading
    memory.find_base()  # the step that asks may have moved it: what lies at its old place is not the VM's
    name = sources.resolve(
        memory.read(base, base_size).decode(errors="replace"),
        memory.read(specifier, specifier_size).decode(errors="replace"),
    )
    return _give(memory, name, out_length)


def _load(name: int, name_size: int, out_length: int) -> int:
    if _thread.loading is None:
        return 0
    memory, sources = _thread.loading
    memory.find_base()  # the step that asks may have moved it: what lies at its old place is not the VM's
    code = sources.code(memory.read(name, name_size).decode(errors="replace"))
    return _give(memory, "\n" if code == "" else code, out_length)


def import_linker(engine: wasmtime.Engine) -> wasmtime.Linker:
    """A linker with the two functions; to be made once per process."""
    i32 = wasmtime.ValType.i32
    linker = wasmtime.Linker(engine)
    linker.define_func("env", "host_module_normalize", wasmtime.FuncType([i32()] * 5, [i32()]), _resolve)
    linker.define_func("env", "host_module_load", wasmtime.FuncType([i32()] * 3, [i32()]), _load)
    return linker
