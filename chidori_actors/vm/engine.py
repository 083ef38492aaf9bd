"""The JavaScript engine of this process: compiled modules, the golden image, and the clock that bounds a step."""

import hashlib
import json
import threading
from dataclasses import asdict
from functools import cache, cached_property
from importlib.resources import files

import wasmtime

from ..wasm import engine_file, load_module, new_engine, read_cached, write_cached
from .golden import GoldenBuild, check_fork, freeze
from .imports import import_linker
from .instance import NO_DEADLINE, Addresses, Instance, Linkage

PRELUDE_VERSION = 2
"""Raised when a prelude changes what an agent sees; a run is continued with the prelude that it began with."""
PRELUDE_FILES = (
    "shared", "inspect", "console", "encoding", "clone", "events", "abort", "percent", "url_host", "url_parser",
    "url_setters", "url_search_params", "url", "json", "table", "timers", "chidori",
    "starlark_values", "starlark_text", "starlark_order", "starlark_operators", "starlark_items", "starlark_strings",
    "starlark_format", "starlark_methods", "starlark_calls", "starlark_builtins", "starlark_json", "starlark_host",
    "realm",
)  # fmt: skip
TICK_SECONDS = 0.005
"""How often the epoch advances, the unit of a step's deadline."""
_RESERVED_BYTES = 64 << 20
"""Address space for each VM's memory; a larger memory moves once."""
STACK_BYTES = 2 << 20
"""For nested calls, JavaScript's and the engine's own; Wasmtime allows no more."""


class Engine:
    """Makes VM instances. One per process (``load_engine``)."""

    def __init__(self) -> None:
        self.wasmtime = new_engine(_configure)
        wasm = engine_file("_guest.wasm").read_bytes()
        prelude = {name: (files(__package__) / f"prelude/{name}.js").read_text("utf-8") for name in PRELUDE_FILES}
        self.build = hashlib.sha256(wasm).hexdigest()
        linker = import_linker(self.wasmtime)
        key = _golden_key(self.build, prelude)
        cached = read_cached(f"golden-{key}.wasm")
        built = cached is None
        if cached is None:
            guest = load_module(self.wasmtime, wasm, "guest")
            addresses, memory = GoldenBuild(self.wasmtime, guest, linker).run(prelude)
            cached = json.dumps(asdict(addresses)).encode() + b"\n" + freeze(wasm, memory)
            write_cached(f"golden-{key}.wasm", cached)
        header, _, golden = cached.partition(b"\n")
        self.golden = hashlib.sha256(cached).hexdigest()
        self.addresses = Addresses(**json.loads(header))
        self._linkage = Linkage(self.wasmtime, load_module(self.wasmtime, golden, "golden"), self.addresses, linker)
        if built:
            self._check()

    def instantiate(self, memory_limit: int) -> Instance:
        """A VM whose memory cannot grow beyond ``memory_limit`` bytes."""
        store = wasmtime.Store(self.wasmtime)
        store.set_limits(memory_size=memory_limit)
        # Counts from now; a step sets its own. Making the instance runs a little code too.
        store.set_epoch_deadline(NO_DEADLINE)
        return Instance(self._linkage, store)

    def _check(self) -> None:
        instance = self.instantiate(_RESERVED_BYTES)
        check_fork(instance)
        instance.close()

    @cached_property
    def golden_memory(self) -> bytes:
        """The memory of a VM that has not run yet."""
        instance = self.instantiate(_RESERVED_BYTES)
        memory = instance.read(0, instance.memory_size())
        instance.close()
        return memory


def _configure(config: wasmtime.Config) -> None:
    config.epoch_interruption = True
    config.memory_reservation = _RESERVED_BYTES
    config.memory_guard_size = 65536
    config.memory_init_cow = True
    config.max_wasm_stack = STACK_BYTES


def _golden_key(build: str, prelude: dict[str, str]) -> str:
    # What builds the image belongs to it as much as what it is built from.
    names = ("golden.py", "heap.py", "shim.wat", "glue.wat")
    builders = [(files(__package__) / name).read_text("utf-8") for name in names]
    parts = [build, *builders, *(f"{name}\0{source}" for name, source in prelude.items())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def load_engine() -> Engine:
    """The engine of this process, made at its first use."""
    engine = Engine()
    threading.Thread(target=_tick, args=(engine.wasmtime,), name="epoch ticker", daemon=True).start()
    return engine


def _tick(engine: wasmtime.Engine) -> None:
    wait = threading.Event().wait
    while not wait(TICK_SECONDS):
        engine.increment_epoch()
