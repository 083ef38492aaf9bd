"""A call's args as a person knows the call by them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import exact_json
from .clipping import CLIP, clip

Args = Mapping[str, Any]


def short_args(function: str, args: Any, length: int = CLIP) -> str:
    """A call's args on one line of at most ``length`` characters, cut when they are longer. Args that no call of
    ``function`` has are told as JSON."""
    tell = _TOLD.get(function)
    told = tell(args) if tell is not None and isinstance(args, Mapping) else ""
    return clip(told or _text(args), length)


def model_of(function: str, args: Any) -> str | None:
    """The model that a prompt asks."""
    model = args.get("model") if function == "prompt" and isinstance(args, Mapping) else None
    return model if isinstance(model, str) else None


def _fields(*names: str) -> Callable[[Args], str]:
    """What tells the fields with these names, as far as they are given."""

    def tell(args: Args) -> str:
        return " ".join(_text(args[name]) for name in names if args.get(name) is not None)

    return tell


def _parallel(args: Args) -> str:
    count, limit = args.get("count"), args.get("concurrency")
    if not isinstance(count, int):
        return ""
    branches = f"{count} branch" if count == 1 else f"{count} branches"
    return f"{branches}, {limit} at once" if isinstance(limit, int) and limit < count else branches


def _timer(args: Args) -> str:
    ms = args.get("ms")
    if not isinstance(ms, int | float):
        return ""
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def _memory(args: Args) -> str:
    return " ".join(_memory_words(args))


def _memory_words(args: Args) -> Iterator[str]:
    if args.get("action") is not None:
        yield _text(args["action"])
    if args.get("key") is not None:
        yield _text(args["key"])
    if args.get("prefix"):
        yield f"{_text(args['prefix'])}*"
    if args.get("namespace") not in (None, "default"):
        yield f"in {_text(args['namespace'])}"


_TOLD: Mapping[str, Callable[[Args], str]] = {
    # Its words tell a prompt from the next one; its model is told beside them (``model_of``).
    "prompt": _fields("text"),
    "input": _fields("prompt"),
    "http": _fields("method", "url"),
    "template": _fields("template"),
    "memory": _memory,
    "checkpoint": _fields("label"),
    "log": _fields("message"),
    "timer": _timer,
    "env": _fields("name"),
    "tool": _fields("name", "kwargs"),
    "call_agent": _fields("path", "input"),
    "parallel": _parallel,
    "exec_js": _fields("source"),
    "exec_python": _fields("source"),
    "exec_wasm": _fields("function", "args"),
}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else exact_json.dumps(value).decode()
