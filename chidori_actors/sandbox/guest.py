"""What runs inside of CPython for WebAssembly, as its only program: of this package, nothing but this text is there.

Standard input is ``{"source", "input"}``; the last line of standard output is ``{"value", "printed"}`` or
``{"message", "thrown", "line", "column", "printed"}`` or ``{"bound"}``. ``json_value`` is used outside of it too.
"""

import ast
import inspect
import io
import json
import math
import os
import re
import sys
import time
import traceback
import types
from collections.abc import Callable, Coroutine
from datetime import date
from datetime import time as time_of_day
from typing import Any, NoReturn

_MOST_DEPTH = 150
_MOST_PRINTED = 1 << 20
_FILE = "<source>"
_LAST = "<value of the last expression>"
"""No name that a source can have."""
_FINE = ("[ns]", "[ps]", "[fs]", "[as]")


class Unfit(Exception):
    """JSON cannot carry a value; the message says where it is in the result."""


def json_value(value: Any, place: str = "the result", depth: int = 0) -> Any:
    """``value`` with what JSON lacks made into its nearest: tuples, keys that are numbers, dates (ISO 8601), NumPy's
    arrays, and pandas' frames (a list of rows, each a dict) and columns (a list): their index is left out.

    Raises:
        Unfit: there is nothing near.
    """
    if depth > _MOST_DEPTH:
        raise Unfit(f"the result is nested more than {_MOST_DEPTH} deep")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfit(f"{place} is {value}, which JSON cannot carry")
        return value
    if isinstance(value, list | tuple):
        return [json_value(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, dict):
        named = {_key(key, place): json_value(item, f"{place}[{key!r}]", depth + 1) for key, item in value.items()}
        if len(named) < len(value):
            raise Unfit(f"{place} has keys that JSON cannot tell apart, such as 1 and '1'")
        return named
    if isinstance(value, date | time_of_day):
        if value != value:  # pandas' NaT
            raise Unfit(f"{place} is {value}, which JSON cannot carry")
        return value.isoformat()
    plain = _plain(value, place)
    if plain is not value:
        return json_value(plain, place, depth + 1)
    raise Unfit(f"{place} is of type {_type_name(value)}, which JSON cannot carry; make a list, dict or str of it")


def _type_name(value: Any) -> str:
    name = type(value).__name__
    # What Monty gives in place of an object of a class of the source's own.
    return str(value.name) if name.startswith("Monty") and hasattr(value, "name") else name


def _plain(value: Any, place: str) -> Any:
    """What a value of NumPy or pandas is in Python's own types; any other value is given back."""
    library = type(value).__module__.partition(".")[0]
    if library == "pandas" and type(value).__name__ == "DataFrame":
        return value.to_dict("records")
    if library not in ("numpy", "pandas") or not hasattr(value, "tolist"):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if library == "numpy" and kind in ("M", "m"):
        if (value != value).any():
            raise Unfit(f"{place} is or has NaT, which JSON cannot carry")
        if value.dtype.name.endswith(_FINE):  # NumPy would make numbers of these
            value = value.astype("datetime64[us]" if kind == "M" else "timedelta64[us]")
    return value.tolist()


def _key(key: object, place: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, int | float):
        return str(key)
    if isinstance(key, date):
        return key.isoformat()
    raise Unfit(f"{place} has a key of type {type(key).__name__}; JSON takes texts")


class _Printed(io.RawIOBase):
    """What a program prints; it ends the program when that is too much."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if len(self.kept) + size > _MOST_PRINTED:
            _answer('"bound": "output"', "")
        self.kept += data
        return size


def main() -> None:
    """Run the source and write what came of it."""
    printed = _Printed()
    sys.stdout = sys.stderr = io.TextIOWrapper(printed, "utf-8", "replace", write_through=True)
    # The clock stands still, so that a sleep would never end.
    time.sleep = lambda seconds: None
    source = ""
    try:
        request = json.loads(sys.stdin.buffer.read())
        source = request["source"]
        answer = f'"value": {_json(_run(source, request["input"]))}'
    except BaseException as error:
        answer = json.dumps(_described(error, source), ensure_ascii=False)[1:-1]
    _answer(answer, printed.kept.decode("utf-8", "replace"))


def _answer(fields: str, printed: str) -> NoReturn:
    """Write the answer, which has ``fields`` (the inside of an object of JSON), and end the interpreter."""
    text = f'\n{{{fields}, "printed": {json.dumps(printed, ensure_ascii=False)}}}'
    line = re.sub("[\ud800-\udfff]", "\ufffd", text).encode()
    while line:
        line = line[os.write(1, line) :]
    os._exit(0)


def _json(value: Any) -> str:
    try:
        return json.dumps(json_value(value), ensure_ascii=False)
    except ValueError:
        raise Unfit("the result has an integer of more than 4,300 digits, which cannot be carried") from None


def _run(source: str, given: Any) -> Any:
    """The value of ``result``, or of the last expression."""
    tree = ast.parse(source, _FILE)
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name(_LAST, ast.Store())], last.value), last)
        ast.fix_missing_locations(tree)
    program = types.ModuleType("__main__")
    names = program.__dict__
    sys.modules["__main__"] = program
    names["input"] = given
    code = compile(tree, _FILE, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    awaits = bool(code.co_flags & inspect.CO_COROUTINE)
    if awaits or "asyncio" in source:
        run = _prepare_asyncio()
    running = eval(code, names)
    if awaits:
        run(running)
    return names.get("result", names.get(_LAST))


def _prepare_asyncio() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """``asyncio.run`` with a loop that needs no sockets, which are not there, and whose sleeps take no time."""
    import asyncio  # 0.2 s, and few sources need it
    from asyncio import events

    class Loop(asyncio.BaseEventLoop):
        def __init__(self) -> None:
            super().__init__()
            self._selector = self
            self._passed = 0.0

        def time(self) -> float:
            return self._passed

        def select(self, timeout: float | None) -> list[Any]:
            if timeout is None:
                raise RuntimeError("the source waits for something that cannot happen")
            self._passed += timeout
            return []

        def _process_events(self, found: list[Any]) -> None:
            pass

        def _write_to_self(self) -> None:
            pass

    # The place where asyncio.run looks, and the name that programs use.
    for module in (events, asyncio):
        vars(module)["new_event_loop"] = Loop
    return asyncio.run


def _described(error: BaseException, source: str) -> dict[str, Any]:
    if isinstance(error, Unfit):
        return {"message": str(error)}
    if isinstance(error, SystemExit):
        return {"message": "it ended its interpreter; give a value instead", "thrown": "SystemExit"}
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except BaseException:
        text = "(its text cannot be had)"
    if isinstance(error, MemoryError) and (not text or type(error) is not MemoryError):
        return {"bound": "memoryMb"}
    line, column = _place(error, source)
    return {"message": text, "thrown": type(error).__name__, "line": line, "column": column}


def _place(error: BaseException, source: str) -> tuple[int | None, int | None]:
    """Where in the source it happened: the innermost line of it, and the column from 1."""
    if isinstance(error, SyntaxError) and error.filename == _FILE:
        return error.lineno, error.offset
    place: tuple[int | None, int | None] = (None, None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == _FILE:
            place = (frame.lineno, _column(source, frame.lineno, frame.colno))
    return place


def _column(source: str, line: int | None, offset: int | None) -> int | None:
    """The column, counted in characters from 1, of an offset in bytes."""
    if line is None or offset is None:
        return None
    text = re.split(b"\r\n|\r|\n", source.encode())[line - 1]
    return len(text[:offset].decode("utf-8", "ignore")) + 1


if __name__ == "__main__":
    main()
