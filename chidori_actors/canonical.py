"""JSON texts compared by meaning: key order and spelling do not count, ``1`` is not ``true``."""

import json
from typing import Any

import orjson

from . import exact_json


def canonical(value: Any) -> bytes:
    """The one text of a JSON value: keys sorted, no blanks. Numbers of one value have one spelling (1.0 is 1)."""
    plain = _plain(value)
    try:
        return exact_json.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # orjson refuses half surrogate pairs, which the error of a server can hold.
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def first_difference(left: Any, right: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Path and both values of the first place where two parsed values differ; an absent one is ``None``."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            found = first_difference(left.get(key), right.get(key), f"{path}.{key}" if path else key)
            if found:
                return found
        return None
    if isinstance(left, list) and isinstance(right, list):
        for place in range(max(len(left), len(right))):
            pair = [side[place] if place < len(side) else None for side in (left, right)]
            found = first_difference(pair[0], pair[1], f"{path}[{place}]")
            if found:
                return found
        return None
    return None if canonical(left) == canonical(right) else (path, left, right)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
