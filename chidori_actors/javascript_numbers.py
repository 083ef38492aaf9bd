"""JSON text as JavaScript writes it, for values that came by way of another JSON writer."""

from decimal import Decimal
from typing import Any

import orjson

from . import exact_json


def javascript_text(value: Any) -> bytes:
    """``value`` as JSON text that can be compared byte by byte with what a VM gives for it."""
    return exact_json.dumps(_with_javascript_numbers(value))


def _with_javascript_numbers(value: Any) -> Any:
    """``value`` with those numbers spelled out that orjson would write otherwise: 0.000001, not 1e-6.

    ECMAScript, Number::toString: no exponent from 1e-6 to below 1e21, the shortest digits that give the number.
    """
    if value == 0 and isinstance(value, float):
        return 0
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        return orjson.Fragment(f"{Decimal(repr(value)):f}".removesuffix(".0"))
    if isinstance(value, dict):
        return {key: _with_javascript_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_javascript_numbers(item) for item in value]
    return value
