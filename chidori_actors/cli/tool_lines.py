"""Tools and their parameters as text for people."""

from collections.abc import Iterator
from typing import Any

from .. import exact_json
from ..clipping import clip
from .plain_text import table

_DEEPEST = 6
_LONGEST_TYPE = 60
_LONGEST_TEXT = 100


def tool_lines(definition: dict[str, Any], origin: str) -> Iterator[str]:
    """A tool's name and ``origin``, its description and a line for each parameter, nested ones too."""
    yield f"{definition['name']}  ({origin})"
    for line in definition["description"].strip().splitlines():
        yield f"  {line.strip()}"
    rows = list(_rows(definition["parameters"], "", 0))
    if rows:
        yield from (f"    {line}" for line in table(rows[0], rows[1:]))


def _rows(schema: Any, prefix: str, depth: int) -> Iterator[tuple[str, str, str]]:
    """Name, type and description of everything below ``schema`` that has a name.

    A server's schema may be anything: nobody has checked it.
    """
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or depth == _DEEPEST:
        return
    required = schema.get("required")
    for name, below in properties.items():
        facts = [_type(below)]
        if isinstance(required, list) and name in required:
            facts.append("required")
        if isinstance(below, dict) and "default" in below:
            facts.append(f"default {_json(below['default'])}")
        description = below.get("description", "") if isinstance(below, dict) else ""
        yield f"{prefix}{name}", ", ".join(facts), clip(str(description), _LONGEST_TEXT)
        yield from _rows(below, f"{prefix}{name}.", depth + 1)
        yield from _rows(_items(below), f"{prefix}{name}[].", depth + 1)


def _items(schema: Any) -> Any:
    return schema.get("items") if isinstance(schema, dict) else None


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    for key, joint in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if isinstance(schema.get(key), list):
            return clip(joint.join(_type(part) for part in schema[key]), _LONGEST_TYPE)
    if isinstance(schema.get("enum"), list):
        return clip(" | ".join(_json(value) for value in schema["enum"]), _LONGEST_TYPE)
    if "const" in schema:
        return _json(schema["const"])
    if isinstance(schema.get("$ref"), str):
        return str(schema["$ref"]).rpartition("/")[2] or "any"
    named = schema.get("type", "any")
    kinds = named if isinstance(named, list) else [named]
    return " | ".join(f"{_type(_items(schema))}[]" if kind == "array" else str(kind) for kind in kinds)


def _json(value: Any) -> str:
    return clip(exact_json.dumps(value).decode(), _LONGEST_TYPE)
