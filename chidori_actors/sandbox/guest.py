"""What runs inside of CPython for WebAssembly, as its only program: of this package, nothing but this text is there.

Standard input is ``{"source", "input"}``; the last line of standard output is ``{"value", "printed"}`` or
``{"message", "thrown", "line", "column", "printed"}``. ``json_value`` is used outside of it too.
"""

import ast
import io
import json
import math
import sys
import time
import traceback
from typing import Any

_MOST_DEPTH = 150
_FILE = "<source>"


class Unfit(Exception):
    """JSON cannot carry a value; the message says where it is in the result."""


def json_value(value: Any, place: str = "the result", depth: int = 0) -> Any:
    """``value`` with what JSON lacks made into its nearest: tuples, keys that are numbers, NumPy's values.

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
        return {_key(key, place): json_value(item, f"{place}[{key!r}]", depth + 1) for key, item in value.items()}
    if hasattr(value, "tolist") and type(value).__module__.partition(".")[0] in ("numpy", "pandas"):
        return json_value(value.tolist(), place, depth + 1)
    raise Unfit(f"{place} is of type {type(value).__name__}, which JSON cannot carry; make a list, dict or str of it")


def _key(key: object, place: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool) or key is None:
        return json.dumps(key)
    if isinstance(key, int | float):
        return str(key)
    raise Unfit(f"{place} has a key of type {type(key).__name__}; JSON takes texts")


def main() -> None:
    """Run the source and write what came of it."""
    request = json.loads(sys.stdin.buffer.read())
    answers, sys.stdout = sys.stdout, io.StringIO()
    sys.stderr = sys.stdout
    # The clock stands still, so that a sleep would never end.
    time.sleep = lambda seconds: None
    try:
        answer = {"value": json_value(_run(request["source"], request["input"]))}
    except BaseException as error:
        answer = _described(error)
    answers.write("\n" + json.dumps({**answer, "printed": sys.stdout.getvalue()}))
    answers.flush()


def _run(source: str, given: Any) -> Any:
    """The value of ``result``, or of the last expression."""
    tree = ast.parse(source, _FILE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names: dict[str, Any] = {"__name__": "__main__", "input": given}
    exec(compile(tree, _FILE, "exec"), names)
    value = None
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), _FILE, "eval"), names)
    return names.get("result", value)


def _described(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Unfit):
        return {"message": str(error)}
    if isinstance(error, SystemExit):
        return {
            "message": "the source ended its interpreter (SystemExit); give a value instead",
            "thrown": "SystemExit",
        }
    place: tuple[int | None, int | None] = (None, None)
    if isinstance(error, SyntaxError) and error.filename == _FILE:
        place = (error.lineno, error.offset)
        text = error.msg
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == _FILE:
                place = (frame.lineno, None if frame.colno is None else frame.colno + 1)
        text = str(error)
    return {"message": text, "thrown": type(error).__name__, "line": place[0], "column": place[1]}


if __name__ == "__main__":
    main()
