"""JSON text as JavaScript writes it, for values that came by way of another JSON writer."""

from decimal import Decimal
from typing import Any

import orjson

from . import exact_json


def javascript_text(value: Any, *, starlark: bool = False) -> bytes:
    """``value`` as JSON text that can be compared byte by byte with what a VM gives for it.

    ``starlark`` says that the VM runs Starlark, which writes the float 1.0 so.
    """
    return exact_json.dumps(_with_javascript_numbers(value, starlark))


def _with_javascript_numbers(value: Any, starlark: bool) -> Any:
    """``value`` with those numbers spelled out that orjson would write otherwise: 0.000001, not 1e-6.

    ECMAScript, Number::toString: no exponent from 1e-6 to below 1e21, the shortest digits that give the number.
    """
    if value == 0 and isinstance(value, float):
        return value if starlark else 0
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        text = f"{Decimal(repr(value)):f}".removesuffix(".0")
        return orjson.Fragment(f"{text}.0" if starlark and "." not in text else text)
    if isinstance(value, dict):
        return {key: _with_javascript_numbers(item, starlark) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_javascript_numbers(item, starlark) for item in value]
    return value
