"""A WebAssembly module that nobody trusts: no imports but ``host.log``, fuel, and a bound on its memory."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import wasmtime

from .. import exact_json
from .execution import MOST_OUTPUT_BYTES, Execution, Outcome, SandboxFault, placed, too_deep, too_much_output

_PAGE = 65536
_MAGIC = b"\0asm"
_MOST_NAME = 100
_ENGINE_STACK = 1 << 20
_MOST_TABLE_ELEMENTS = 100_000
_TEXT = re.compile(r"\s*(?:\(|;;)")
_CAUSE = re.compile(r"\d+: ")
_PLACE = re.compile(r"--> <anon>:(\d+):(\d+)")
_BITS = {"i32": 32, "i64": 64}
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_EXACT = 2**53
"""JSON numbers beyond are bent by JavaScript: such integers travel as decimal texts."""

Argument = int | float


class WebAssembly:
    """Calls one exported function of a module."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        config.max_wasm_stack = _ENGINE_STACK
        config.memory_reservation = 64 << 20
        config.memory_guard_size = _PAGE
        # The data of a module would be kept in a file in memory, and a worker may not write files (worker.py).
        config.memory_init_cow = False
        # Heaps of their own, which memoryPages does not bound, and types that Wasmtime's C interface aborts on.
        config.wasm_gc = False
        config.wasm_function_references = False
        config.wasm_exceptions = False
        config.wasm_relaxed_simd = False
        config.wasm_simd = False
        config.wasm_threads = False
        self._engine = wasmtime.Engine(config)

    def execute(self, execution: Execution) -> Outcome:
        """``{returns, fuel_remaining}``.

        Raises:
            SandboxFault: the module cannot be used, trapped, or went beyond a bound.
        """
        # A fault holds on to the frames that it came through: left to the garbage collector, the memories of a few
        # executions would be all that the process may have.
        with closing(self._compile(execution.source)) as module, closing(wasmtime.Store(self._engine)) as store:
            return _call(store, module, execution.options)

    def _compile(self, source: str) -> wasmtime.Module:
        try:
            if _TEXT.match(source):
                binary = bytes(wasmtime.wat2wasm(source))
            else:
                binary = base64.b64decode("".join(source.split()), validate=True)
        except ValueError:  # what is not ASCII is not a binascii.Error
            raise SandboxFault("the source is neither base64 nor WebAssembly text, which begins with `(`") from None
        except wasmtime.WasmtimeError as error:
            raise _text_fault(error) from None
        if not binary.startswith(_MAGIC):
            raise SandboxFault("the source is not a WebAssembly module: it does not begin with `\\0asm`")
        try:
            return wasmtime.Module(self._engine, binary)
        except wasmtime.WasmtimeError as error:
            raise SandboxFault(f"the source is not a WebAssembly module: {_reason(error)}") from None


def _call(store: wasmtime.Store, module: wasmtime.Module, options: Mapping[str, Any]) -> Outcome:
    pages: int = options["memory_pages"]
    store.set_limits(memory_size=pages * _PAGE, table_elements=_MOST_TABLE_ELEMENTS, instances=1, tables=10, memories=1)
    store.set_fuel(options["fuel"])
    log = _Log()
    try:
        instance = _instantiate(store, module, log, pages)
        function = _function(instance, store, module, options["function"])
        kind = function.type(store)
        given = _arguments(kind.params, options["args"], options["function"])
        _check_results(kind.results, options["function"])
        returned = function(store, *given)
    except wasmtime.Trap as trap:
        raise _trapped(trap, options["fuel"], log) from None
    returns = returned if isinstance(returned, list) else [] if returned is None else [returned]
    value = {"returns": [_result(one) for one in returns], "fuel_remaining": store.get_fuel()}
    return Outcome(exact_json.dumps(value), log.text)


def _instantiate(store: wasmtime.Store, module: wasmtime.Module, log: "_Log", pages: int) -> wasmtime.Instance:
    i32 = wasmtime.ValType.i32()
    items: list[Any] = []
    for item in module.imports:
        if (item.module, item.name) != ("host", "log"):
            raise SandboxFault(
                f"the module imports {_shown(item.module)}.{_shown(item.name or '')}; "
                "a sandbox gives only host.log(pointer, length)"
            )
        kind = wasmtime.FuncType([i32, i32], [])
        items.append(wasmtime.Func(store, kind, log.write, access_caller=True))
    try:
        return wasmtime.Instance(store, module, items)
    except wasmtime.WasmtimeError as error:
        reason = _reason(error)
        if "memory minimum size" in reason:
            raise SandboxFault(
                f"the module needs more memory than {pages} page{'' if pages == 1 else 's'} of 64 KB (memoryPages)",
                bound="memoryPages",
            ) from None
        raise SandboxFault(f"the module cannot be instantiated: {reason}") from None


class _Log:
    """What the module writes with ``host.log``: UTF-8 text in the memory that it exports as ``memory``."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, caller: wasmtime.Caller, pointer: int, length: int) -> None:
        """Take a text. What is raised here ends the execution."""
        memory = caller.get("memory")
        start = pointer & 0xFFFFFFFF
        end = start + (length & 0xFFFFFFFF)
        if not isinstance(memory, wasmtime.Memory) or end > memory.data_len(caller):
            raise SandboxFault("host.log(pointer, length): the text does not lie in a memory exported as `memory`")
        if len(self.text) + end - start + 1 > MOST_OUTPUT_BYTES:
            raise too_much_output("what host.log was given")
        self.text += bytes(memory.read(caller, start, end)).decode("utf-8", "replace") + "\n"


def _function(instance: wasmtime.Instance, store: wasmtime.Store, module: wasmtime.Module, name: str) -> wasmtime.Func:
    found = instance.exports(store).get(name)
    if isinstance(found, wasmtime.Func):
        return found
    names = [item.name for item in module.exports if isinstance(item.type, wasmtime.FuncType)]
    shown = ", ".join(map(_shown, names[:20])) or "none"
    raise SandboxFault(f"the module exports no function `{_shown(name)}` (its functions: {shown})")


def _shown(name: str) -> str:
    return name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}…"


def _arguments(kinds: Sequence[wasmtime.ValType], given: Sequence[Any], name: str) -> list[Argument]:
    takes = f"`{name}` takes ({', '.join(map(str, kinds))})"
    if len(kinds) != len(given):
        raise SandboxFault(f"{takes}, and {len(given)} argument{' was' if len(given) == 1 else 's were'} given")
    return [
        _argument(str(kind), value, f"argument {at + 1}: {takes}")
        for at, (kind, value) in enumerate(zip(kinds, given, strict=True))
    ]


def _argument(kind: str, value: Any, what: str) -> Argument:
    if isinstance(value, str):
        value = _from_text(value, what)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SandboxFault(f"{what}; {exact_json.dumps(value).decode()[:100]} is not a number")
    if kind in ("f32", "f64"):
        try:
            return float(value)
        except OverflowError:
            raise SandboxFault(f"{what}; {value} does not fit {kind}") from None
    bits = _BITS.get(kind)
    if bits is None:
        raise SandboxFault(f"{what}; values of type {kind} cannot be given")
    if isinstance(value, float) and not value.is_integer():
        raise SandboxFault(f"{what}; {value!r} is not an integer")
    whole = int(value)
    if not -(2 ** (bits - 1)) <= whole < 2**bits:
        raise SandboxFault(f"{what}; {whole} does not fit {kind}")
    # An unsigned value is the same bits as a negative one.
    return whole - 2**bits if whole >= 2 ** (bits - 1) else whole


def _check_results(kinds: Sequence[wasmtime.ValType], name: str) -> None:
    for kind in map(str, kinds):
        if kind not in (*_BITS, "f32", "f64"):
            raise SandboxFault(f"`{name}` returns a {kind}; only numbers can be given back")


def _from_text(text: str, what: str) -> int | float:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if re.fullmatch(r"-?\d{1,40}", text, re.ASCII):
        return int(text)
    raise SandboxFault(f"{what}; {text[:100]!r} is not a number, nor an integer written as text")


def _result(value: Argument) -> int | float | str:
    if isinstance(value, int):
        return value if -_EXACT < value < _EXACT else str(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _trapped(trap: wasmtime.Trap, fuel: int, log: _Log) -> SandboxFault:
    code = trap.trap_code
    if code == wasmtime.TrapCode.OUT_OF_FUEL:
        return SandboxFault(f"the module used up its fuel of {fuel} (fuel)", bound="fuel", printed=log.text)
    if code == wasmtime.TrapCode.STACK_OVERFLOW:
        return too_deep("module", printed=log.text)
    return SandboxFault(f"the module trapped: {_reason(trap).rpartition('wasm trap: ')[2]}", printed=log.text)


def _reason(error: Exception) -> str:
    """What Wasmtime says, on one line."""
    lines = (_CAUSE.sub("", line.strip()) for line in str(error).strip().splitlines())
    return "; ".join(line for line in lines if line and line != "Caused by:")


def _text_fault(error: Exception) -> SandboxFault:
    """A fault that the text format's parser places as ``--> <anon>:LINE:COLUMN``."""
    what, _, rest = str(error).strip().partition("\n")
    place = _PLACE.search(rest)
    if place is None:
        return SandboxFault(f"the source is not WebAssembly text: {what}")
    line, column = int(place[1]), int(place[2])
    return SandboxFault(placed(f"the source is not WebAssembly text: {what}", line), line=line, column=column)
