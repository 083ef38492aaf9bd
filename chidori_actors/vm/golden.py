"""The golden image: the memory of a fresh VM with the prelude loaded, as a WebAssembly module of its own.

The engine's module is rewritten as Wizer does it: its data section is replaced by the initialised memory, so that
Wasmtime maps it copy-on-write and a new VM costs neither start-up work nor memory of its own. Binary format:
https://webassembly.github.io/spec/core/binary/modules.html
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace

import wasmtime

from .heap import PROMISE_CLASS, find_object_list, without_reactions
from .instance import NO_DEADLINE, Addresses, Instance, Linkage

PAGE = 4096
WASM_PAGE = 65536
STACK_TOP = 1 << 20
"""The engine is linked stack first: below this address lies only the C stack, dead at every safepoint."""
EXCHANGE_BYTES = 65536

_LARGE_HOLES = tuple(1 << bits for bits in range(17, 11, -1))
_SMALL_HOLES = (1024, *range(512, 0, -8))
"""Sizes of holes in the heap, in bytes."""

_MEMORY_SECTION, _DATA_SECTION = 5, 11


class GoldenBuild:
    """Runs the prelude in a plain VM and freezes the result."""

    def __init__(self, engine: wasmtime.Engine, guest: wasmtime.Module, linker: wasmtime.Linker) -> None:
        store = wasmtime.Store(engine)
        store.set_epoch_deadline(NO_DEADLINE)
        # Nothing is delivered through this glue, so its addresses do not matter.
        self._instance = Instance(Linkage(engine, guest, Addresses(), linker), store)
        self._out = self._call("qjs_alloc", 64)

    def run(self, prelude: Mapping[str, str]) -> tuple[Addresses, bytes]:
        """Evaluate the prelude's files in order; the addresses and the memory."""
        self._evaluate("begin", "globalThis.__prelude = {}; 0")
        for name, source in prelude.items():
            self._evaluate(name, source)
        addresses = Addresses(
            settle=self._evaluate("receive", "__prelude.receive"),
            take=self._evaluate("take", "__prelude.take"),
            undefined=self._call("new_undefined"),
            out=self._out,
            argv=self._out + 16,
            exchange=self._call("qjs_alloc", EXCHANGE_BYTES),
            promise_class=PROMISE_CLASS,
        )
        self._evaluate("end", "delete globalThis.__prelude; 0")
        self._call("run_gc")
        self._fill_holes()
        # The engine looks here how much there is, and sets when it collects next: that writes to every object.
        self._evaluate("collect", "({}, 0)")
        memory = self._memory()
        self._evaluate("objects", "globalThis.objects = Array.from({ length: 8 }, () => new Promise(() => {})); 0")
        objects = find_object_list(memory, self._memory(), STACK_TOP)
        self._instance.close()
        # What is left of the C stack is the only part that could differ between two builds.
        return replace(addresses, objects=objects), bytes(STACK_TOP) + memory[STACK_TOP:]

    def _fill_holes(self) -> None:
        """Take every small hole that is left in the heap: what a VM allocates shall lie together in the large ones, on
        few pages, because each page that is written costs a VM 4 KB of its own.
        """
        top = self._call("qjs_alloc", 2 * _LARGE_HOLES[0])
        large = [(self._holes(size, top), size) for size in _LARGE_HOLES]
        for size in _SMALL_HOLES:
            self._holes(size, top)
        for addresses, size in [([top], 2 * _LARGE_HOLES[0]), *large]:
            for address in addresses:
                self._call("qjs_free", address, size)

    def _holes(self, size: int, top: int) -> list[int]:
        """Take all the holes of that size below ``top``; their addresses."""
        taken = []
        while (address := self._call("qjs_alloc", size)) < top:
            taken.append(address)
        self._call("qjs_free", address, size)
        return taken

    def _call(self, name: str, *args: int) -> int:
        return self._instance.call(name, *args)

    def _memory(self) -> bytes:
        return self._instance.read(0, self._instance.memory_size())

    def _evaluate(self, name: str, source: str) -> int:
        handle = _evaluate(self._instance, source, self._out)
        if handle is None:
            raise RuntimeError(f"prelude file {name} failed: {self._exception()}")
        return handle

    def _exception(self) -> str:
        self._call("last_exception", self._out)
        error = struct.unpack("<i", self._instance.read(self._out, 4))[0]
        texts = []
        for field in (b"message", b"stack"):
            at = self._call("qjs_alloc", len(field))
            self._instance.write(at, field)
            self._call("get_prop", error, at, len(field), self._out)
            value = struct.unpack("<i", self._instance.read(self._out, 4))[0]
            self._call("get_string", value)
            texts.append(self._instance.read(self._call("qjs_last_ptr"), self._call("qjs_last_len")).decode())
        return "\n".join(texts)


def _evaluate(instance: Instance, source: str, out: int) -> int | None:
    """The handle of what ``source`` evaluates to, or None when it throws; ``out`` is where the engine may leave it."""
    text = source.encode()
    at = instance.call("qjs_alloc", len(text))
    instance.write(at, text)
    status = instance.call("eval_code", at, len(text), out)
    instance.call("qjs_free", at, len(text))
    return None if status else int(struct.unpack("<i", instance.read(out, 4))[0])


_WAITING = """
globalThis.heard = "";
globalThis.waiting = [0, 1, 2].map(() => Promise.withResolvers());
waiting[0].promise.then(() => { heard += "parent "; });
waiting[1].promise.finally(() => { heard += "parent "; });
(async () => { await waiting[2].promise; heard += "parent "; })();
0
"""
_GOING_ON = """
for (const { promise, resolve } of waiting) { promise.then(() => { heard += "branch "; }); resolve(); }
0
"""


def check_fork(instance: Instance) -> None:
    """See whether reactions can be taken off in a VM of a golden image that was just built.

    Raises:
        RuntimeError: the engine's heap is not laid out as heap.py says.
    """
    out = instance.call("qjs_alloc", 64)
    _evaluate(instance, _WAITING, out)
    buffer = instance.call("qjs_alloc", 4096)
    for address, word in without_reactions(instance.pending_promises(buffer, 4096)):
        instance.write(address, struct.pack("<I", word))
    _evaluate(instance, _GOING_ON, out)
    while instance.call("execute_pending_jobs"):
        pass
    text = _evaluate(instance, "heard", out)
    instance.call("get_string", text or 0)
    heard = instance.read(instance.call("qjs_last_ptr"), instance.call("qjs_last_len")).decode()
    if heard != "branch branch branch ":
        raise RuntimeError(f"a fork of this build of the engine does not work: {heard!r}")


def freeze(wasm: bytes, memory: bytes) -> bytes:
    """The engine's module ``wasm`` with ``memory`` as its initial memory."""
    out = [wasm[:8]]
    for section, body in _sections(wasm):
        if section == _MEMORY_SECTION:
            body = b"\x01\x00" + _unsigned(len(memory) // WASM_PAGE)
        elif section == _DATA_SECTION:
            segments = list(_used_ranges(memory))
            body = _unsigned(len(segments)) + b"".join(
                b"\x00\x41" + _signed(start) + b"\x0b" + _unsigned(end - start) + memory[start:end]
                for start, end in segments
            )
        out.append(bytes([section]) + _unsigned(len(body)) + body)
    return b"".join(out)


def _sections(wasm: bytes) -> Iterator[tuple[int, bytes]]:
    at = 8
    while at < len(wasm):
        section = wasm[at]
        size = shift = 0
        while True:
            at += 1
            size |= (wasm[at] & 0x7F) << shift
            shift += 7
            if wasm[at] < 0x80:
                break
        at += 1
        yield section, wasm[at : at + size]
        at += size


def _used_ranges(memory: bytes) -> Iterator[tuple[int, int]]:
    """Runs of pages that are not all zeros."""
    empty = bytes(PAGE)
    start = None
    for at in range(0, len(memory) + 1, PAGE):
        used = at < len(memory) and memory[at : at + PAGE] != empty
        if used and start is None:
            start = at
        elif not used and start is not None:
            yield start, at
            start = None


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while True:
        low = value & 0x7F
        value >>= 7
        if not value:
            out.append(low)
            return bytes(out)
        out.append(low | 0x80)


def _signed(value: int) -> bytes:
    # Addresses are positive: one more group when the sign bit of the last would be set.
    encoded = _unsigned(value)
    return encoded if encoded[-1] < 0x40 else encoded[:-1] + bytes([encoded[-1] | 0x80, 0])
