"""A call's args as a person knows the call by them."""

from collections.abc import Mapping
from typing import Any

from .. import exact_json
from .plain_text import clip

_TOLD_BY: Mapping[str, tuple[str, ...]] = {
    "prompt": ("model", "text"),
    "input": ("prompt",),
    "http": ("method", "url"),
    "template": ("template",),
    "memory": ("action", "namespace", "key", "prefix"),
    "checkpoint": ("label",),
    "log": ("message",),
    "timer": ("ms",),
    "env": ("name",),
    "tool": ("name", "kwargs"),
    "call_agent": ("path", "input"),
    "parallel": ("count", "concurrency"),
}
"""The args by which a person knows a call."""


def short_args(function: str, args: Any) -> str:
    """A call's args on one line, cut when they are long."""
    names = _TOLD_BY.get(function, ())
    if not isinstance(args, Mapping) or not any(name in args for name in names):
        return clip(exact_json.dumps(args).decode())
    told = (args.get(name) for name in names)
    return clip(" ".join(_told(value) for value in told if value is not None))


def _told(value: Any) -> str:
    return value if isinstance(value, str) else exact_json.dumps(value).decode()
