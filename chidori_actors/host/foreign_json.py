"""JSON from models and servers, as it can be recorded."""

import json

from .unicode import without_lone_surrogates


def recordable_json(text: str) -> bytes:
    """The same value as JSON text in UTF-8, every lone surrogate in it replaced by U+FFFD.

    Raises:
        ValueError: it is not JSON, has a number beyond a double's range, or is nested too deeply.
    """
    try:
        # Not orjson, which refuses halves of emoji that are written as escapes.
        value = json.loads(text, parse_constant=_refuse_constant)
        written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return without_lone_surrogates(written).encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
