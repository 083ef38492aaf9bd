"""JSON with integers of any size. What Starlark calculates with must come through Python as it is: 2**64 + 1 stays
exact, and 1.0 is not 1.
"""

import json
import math
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")


def loads(text: bytes | str) -> Any:
    """The value of a JSON text.

    Raises:
        orjson.JSONDecodeError: it is no JSON, has half of a surrogate pair, or a number that is too large.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # orjson makes floats of integers that 64 bits cannot hold.
    if _LONG_NUMBER.search(data) is None:
        return orjson.loads(data)
    try:
        value = json.loads(data.decode(), parse_float=_finite, parse_constant=_refuse)
        if b"\\ud" in data.lower():
            json.dumps(value, ensure_ascii=False).encode()  # refuses half of a pair, as orjson does
        return value
    except json.JSONDecodeError as error:
        raise orjson.JSONDecodeError(error.msg, error.doc, error.pos) from None
    except (ValueError, RecursionError) as error:
        raise orjson.JSONDecodeError(str(error), "", 0) from None


def dumps(value: Any, option: int | None = None) -> bytes:
    """``value`` as JSON text; ``option`` as for orjson.

    Raises:
        orjson.JSONEncodeError: JSON cannot carry it.
    """
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        if "64-bit" not in str(error):
            raise
    try:
        return orjson.dumps(_with_long_integers(value), option=option)
    except (RecursionError, ValueError) as error:
        raise orjson.JSONEncodeError(str(error)) from None


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text} is too large")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _with_long_integers(value: Any) -> Any:
    """``value`` with those integers as text that orjson refuses."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    if isinstance(value, dict):
        return {key: _with_long_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_long_integers(item) for item in value]
    return value
