"""TypeScript to JavaScript with the OXC transform that the package quickjs-rs ships as WebAssembly."""

from functools import cache, partial
from typing import cast

import orjson
import wasmtime

from ..errors import SourceError
from ..wasm import engine_file, load_module, new_engine
from .lexer import Lines
from .syntax_errors import explain

# The ABI of `_transform.wasm` (quickjs_rs/_transform.py).
_STATUS_OK, _STATUS_UNCHANGED = 0, 1
_SOURCE_TS = 1 << 0
_STRIP_TYPESCRIPT = 1 << 8
_FUNCTIONS = (
    *("alloc", "free", "transform"),
    *("result_ptr", "result_len", "result_free", "error_ptr", "error_len"),
)


class TransformFault(Exception):
    """The transform did not like a text; ``str()`` is its diagnostics, without any position."""


class _Transformer:
    """One instance of the transform's module. A trap leaves it unusable."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, linker: wasmtime.Linker) -> None:
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasmtime.WasiConfig())
        exports = linker.instantiate(self._store, module).exports(self._store)
        self._memory = cast(wasmtime.Memory, exports["memory"])
        self._functions = {name: cast(wasmtime.Func, exports[f"qjst_{name}"]) for name in _FUNCTIONS}

    def transform(self, name: str, source: str) -> str:
        """JavaScript text of a TypeScript source.

        Raises:
            TransformFault: the source has a fault.
            wasmtime.Trap: the transform itself failed.
        """
        name_bytes, source_bytes = name.encode(), source.encode()
        name_at, source_at = self._put(name_bytes), self._put(source_bytes)
        status = self._call(
            "transform",
            name_at,
            len(name_bytes),
            source_at,
            len(source_bytes),
            _SOURCE_TS | _STRIP_TYPESCRIPT,
        )
        try:
            if status == _STATUS_UNCHANGED:
                return source
            if status == _STATUS_OK:
                return self._get("result")
            text = self._get("error")
            raise TransformFault(text.removeprefix(f"source parse error in {name}: "))
        finally:
            self._call("free", name_at, len(name_bytes))
            self._call("free", source_at, len(source_bytes))
            self._call("result_free")

    def close(self) -> None:
        self._store.close()

    def _call(self, name: str, *args: int) -> int:
        return cast(int, self._functions[name](self._store, *args))

    def _put(self, data: bytes) -> int:
        address = self._call("alloc", len(data))
        if data:
            self._memory.write(self._store, data, address)
        return address

    def _get(self, what: str) -> str:
        address, length = self._call(f"{what}_ptr"), self._call(f"{what}_len")
        return self._memory.read(self._store, address, address + length).decode("utf-8", "replace")


@cache
def _compiled() -> tuple[wasmtime.Engine, wasmtime.Module, wasmtime.Linker]:
    engine = new_engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return engine, load_module(engine, engine_file("_transform.wasm").read_bytes(), "transform"), linker


@cache
def _transformer() -> _Transformer:
    return _Transformer(*_compiled())


def _run(name: str, source: str) -> str:
    transformer = _transformer()
    try:
        return transformer.transform(name, source)
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        _transformer.cache_clear()
        transformer.close()
        raise


def transform(name: str, source: str) -> str:
    """JavaScript text of a module. ``name`` is shown in errors and its ending says what ``source`` is.

    ``.ts`` loses its types (enums, namespaces and parameter properties become code), ``.js`` stays as it
    is, and ``.json`` becomes a module whose default export is the value.

    Raises:
        SourceError: a fault that the transform or the JSON parser finds, with line, column and source.
            Faults that need a scope (a name declared twice) are found by the engine as it loads the module.
    """
    if name.endswith(".json"):
        return _json_module(name, source)
    if not name.endswith(".ts"):
        return source
    try:
        return _run(name, source)
    except TransformFault as fault:
        diagnostics = str(fault)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        raise SourceError(
            "the TypeScript transform gave up on this file",
            path=name,
            hint="expressions nested thousands deep are too much for it; move big tables to a .json module",
        ) from error
    finding = explain(source, diagnostics, partial(_diagnose, name))
    raise SourceError(
        finding.message,
        path=name,
        line=finding.line,
        column=finding.column,
        source_line=finding.source_line,
        hint=finding.hint,
    )


def _diagnose(name: str, source: str) -> str | None:
    try:
        _run(name, source)
    except TransformFault as fault:
        return str(fault)
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        return None
    return None


def _json_module(name: str, source: str) -> str:
    try:
        value = orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise SourceError(
            f"this is not JSON: {error.msg}",
            path=name,
            line=error.lineno,
            column=error.colno,
            source_line=Lines(source).text(error.lineno),
        ) from None
    if b'"__proto__":' in orjson.dumps(value):
        # In an object literal that key would set the prototype.
        return f"export default JSON.parse({orjson.dumps(source).decode()});\n"
    return f"export default {source.strip()};\n"
