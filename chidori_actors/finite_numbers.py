"""Numbers that JSON cannot carry, found before they become null without a word."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def non_finite(value: Any, name: str) -> str | None:
    """What is wrong with ``value``, called ``name``: "`input.items[2]` is NaN, …"; None when all of it is finite."""
    waiting: list[tuple[str, Any]] = [(name, value)]
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, float) and not math.isfinite(item):
            shown = "NaN" if math.isnan(item) else "Infinity" if item > 0 else "-Infinity"
            return f"`{place}` is {shown}, which JSON cannot carry"
        waiting.extend((place + step, inside) for step, inside in reversed(_inside(item)))
    return None


def _inside(item: Any) -> list[tuple[str, Any]]:
    """What is in a container, each with the step that leads to it."""
    if isinstance(item, Mapping):
        return [(_member(str(key)), each) for key, each in item.items()]
    if isinstance(item, list | tuple):
        return [(f"[{number}]", each) for number, each in enumerate(item)]
    if is_dataclass(item) and not isinstance(item, type):
        return [(_member(each.name), getattr(item, each.name)) for each in fields(item)]
    return []


def _member(key: str) -> str:
    return f".{key}" if _IDENTIFIER.fullmatch(key) else f"[{orjson.dumps(key).decode()}]"
