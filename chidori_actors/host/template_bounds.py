"""Jinja's sandbox with bounds of time and size: what a template computes, it computes on the event loop.

The sandbox stops access to Python, but ``"a" * 10**9`` would take the process's memory, and two nested loops its time.
"""

import functools
import inspect
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEXT = 1 << 20
"""Characters of a template, of what it makes, and of what it makes on the way."""
SECONDS = 1.0
"""How long one rendering may take."""
_LARGEST_EXPONENT = 1000
_MOST_BITS = 1 << 14
_LARGEST_PRODUCT = 1 << 28
_WIDTH = 1 << 20
_WIDE_FIELD = re.compile(r"\d{7}")
_PRINTED = str | int | float | None | Undefined

_TAKE_WIDTHS = frozenset(
    ("center", "ljust", "rjust", "zfill", "expandtabs", "to_bytes", "indent", "wordwrap", "batch", "slice", "tojson")
) | {"lipsum", "generate_lorem_ipsum", "round"}
"""Filters and methods that an integer makes to write as much as it says."""
_WRITE_NOTHING = frozenset(
    ("length", "count", "first", "last", "list", "default", "d", "map", "select", "selectattr", "reject", "rejectattr")
) | frozenset(
    ("sort", "unique", "reverse", "batch", "slice", "groupby", "items", "attr", "min", "max", "sum", "random"),
)
"""Filters that do not look into the values of what they are given, to write them."""


class _CodeGenerator(CodeGenerator):
    """Concatenation goes through the environment, which bounds it."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self.write("environment.concat((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


def joined(pieces: Iterable[Any]) -> str:
    """The text of the pieces, one behind the other.

    Raises:
        SecurityError: it is too long, or one is no text, number, list or dict.
    """
    texts: list[str] = []
    length = 0
    for piece in pieces:
        texts.append(piece if isinstance(piece, str) else str(_printed(piece)))
        length += len(texts[-1])
        check_length(length)
    return "".join(texts)


def check_length(length: int) -> None:
    """Raise ``SecurityError`` for a text or a list that is longer than a template may make."""
    if length > LONGEST_TEXT:
        raise SecurityError(f"the text is longer than {LONGEST_TEXT} bytes")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The environment of templates that nobody trusts; ``loader`` gives those that they include."""

    code_generator_class = _CodeGenerator
    concat = staticmethod(joined)
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self, loader: BaseLoader) -> None:
        # Prompts are text, so nothing is escaped.
        super().__init__(loader=loader, undefined=StrictUndefined, autoescape=False, cache_size=0, finalize=_printed)
        self.filters = {name: _bounded_filter(name, function) for name, function in self.filters.items()}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(right, int) and abs(right) > _LARGEST_EXPONENT:
            raise SecurityError(f"an exponent over {_LARGEST_EXPONENT} is not allowed")
        _check_number(operator, left, right)
        if operator == "*":
            for repeated, times in ((left, right), (right, left)):
                if isinstance(repeated, str | bytes | list | tuple) and isinstance(times, int):
                    check_length(len(repeated) * times)
        if operator == "+" and isinstance(left, str | bytes | list | tuple):
            check_length(_size(left) + _size(right))
        if operator == "%" and isinstance(left, str | bytes):
            _check_call("format", (left, right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(function, "__wrapped__", function)
        of = getattr(method, "__self__", None)
        own = (of,) if isinstance(of, str | bytes | int) else ()
        _check_call(getattr(method, "__name__", ""), (*own, *args, *kwargs.values()))
        return super().call(context, function, *args, **kwargs)


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)  # and with it what Jinja notes on the function
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _check_call(name, (*args, *kwargs.values()))
        return function(*args, **kwargs)

    return bounded


def _check_number(operator: str, left: Any, right: Any) -> None:
    if operator not in ("*", "**") or not isinstance(left, int) or not isinstance(right, int):
        return
    bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
    if bits > _MOST_BITS:
        raise SecurityError(f"a number of more than {_MOST_BITS} bits is not allowed")


def _check_call(name: str, args: tuple[Any, ...]) -> None:
    """What a call or a filter writes is, at most, one of its arguments as often as another one is long."""
    if name in _TAKE_WIDTHS and any(isinstance(arg, int) and abs(arg) > _WIDTH for arg in args):
        raise SecurityError(f"{name}: a number over {_WIDTH} is not allowed")
    if name in ("format", "format_map", "sprintf") and args and isinstance(args[0], str | bytes):
        _check_format(args[0] if isinstance(args[0], str) else args[0].decode("latin-1"), args[1:])
    if name in _WRITE_NOTHING:
        weights = sorted(map(_size, args))
    else:
        weights = sorted(_width(arg) if name in _TAKE_WIDTHS else _weigh(arg) for arg in args)
        for arg in args:
            if callable(arg) and not isinstance(arg, Undefined):
                raise SecurityError(f"{name}: a function cannot be written; call it with ()")
    if math.prod(weights[-2:]) > _LARGEST_PRODUCT:
        raise SecurityError(f"{name}: the text could be longer than {_LARGEST_PRODUCT} bytes")


def _check_format(text: str, args: tuple[Any, ...]) -> None:
    given = [inner for arg in args for inner in (arg if isinstance(arg, tuple) else (arg,))]
    by_argument = "*" in text or re.search(r"\{[^{}]*\{", text) is not None
    if _WIDE_FIELD.search(text) or (by_argument and any(isinstance(arg, int) and abs(arg) > _WIDTH for arg in given)):
        raise SecurityError("format: a field that wide is not allowed")


def _width(value: Any) -> int:
    return abs(value) if isinstance(value, int) else _weigh(value)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 1


def _weigh(value: Any) -> int:
    """About how long the text of ``value`` is. Lists in lists can be short in memory and endless when written."""
    if not isinstance(value, list | tuple | dict):
        return _size(value)
    weight = 0
    todo = [value]
    while todo:
        item = todo.pop()
        weight += _size(item) + 2
        if isinstance(item, list | tuple):
            todo += item
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        if weight > _LARGEST_PRODUCT or len(todo) > 4 * LONGEST_TEXT:
            raise SecurityError(f"the text is longer than {LONGEST_TEXT} bytes")
    return weight


def _printed(value: Any) -> Any:
    """What ``{{ value }}`` prints: nothing that only Python has."""
    todo = [value]
    seen = 0
    while todo:
        item = todo.pop()
        seen += 1
        check_length(seen)
        if isinstance(item, list | tuple):
            todo += item
        elif isinstance(item, Mapping):
            todo += item.values()
        elif not isinstance(item, _PRINTED):
            hint = "; call it with ()" if callable(item) else ""
            raise SecurityError(f"only texts, numbers, lists and objects can be printed{hint}")
    return value


class _TimeOver(BaseException):
    """Not an ``Exception``: Jinja catches those here and there."""


@contextmanager
def bounded_time(environment: BoundedEnvironment) -> Iterator[None]:
    """Whatever runs in here is stopped with a ``SecurityError`` when its time is over.

    Every call and every line of a template is looked at, by Python's tracing: nothing else stops a loop in Python.
    """
    end = time.perf_counter() + SECONDS

    def check() -> None:
        if time.perf_counter() > end:
            raise _TimeOver

    def line(frame: FrameType, event: str, arg: Any) -> Any:
        check()
        return line

    def call(frame: FrameType, event: str, arg: Any) -> Any:
        # A generator is also called to be closed, and nobody hears of an error then.
        if not frame.f_code.co_flags & inspect.CO_GENERATOR:
            check()
        return line if frame.f_globals.get("environment") is environment else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    except _TimeOver:
        raise SecurityError(f"the template ran for {SECONDS:g} s") from None
    finally:
        sys.settrace(before)


def place_in_template(traceback: TracebackType | None, name: str) -> str:
    """The innermost template line of a traceback; Jinja puts the template's name and line into its frames."""
    place = name
    while traceback is not None:
        frame = traceback.tb_frame
        if "__jinja_exception__" in frame.f_globals:
            place = f"{frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
