"""Jinja in its sandbox, with bounds and with errors that name template, line and variable."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .function import HostError

_LONGEST_OUTPUT = 1 << 20
_LARGEST_EXPONENT = 1000
_LONGEST_INTEGER = 1 << 16
_INLINE = "<template>"


class _Loader(BaseLoader):
    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        return self._read(template), template, lambda: True


class _BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox stops access to Python, but ``"a" * 10**9`` would take the process's memory, and
    ``9**999**999**999`` its time."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and isinstance(right, int) and abs(right) > _LARGEST_EXPONENT:
            raise SecurityError(f"an exponent over {_LARGEST_EXPONENT} is not allowed")
        if isinstance(left, int) and isinstance(right, int):
            _check_integer(left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length())
        if operator == "*":
            for repeated, times in ((left, right), (right, left)):
                if isinstance(repeated, str | list | tuple) and isinstance(times, int):
                    _check_length(len(repeated) * times)
        return super().call_binop(context, operator, left, right)


def _check_length(length: int) -> None:
    if length > _LONGEST_OUTPUT:
        raise SecurityError(f"the text is longer than {_LONGEST_OUTPUT} bytes")


def _check_integer(bits: int) -> None:
    if bits > _LONGEST_INTEGER:
        raise SecurityError(f"an integer of more than {_LONGEST_INTEGER} bits is not allowed")


class TemplateEngine:
    """Renders templates; ``read`` gives a template's text by its path, or raises ``HostError``."""

    def __init__(self, read: Callable[[str], str]) -> None:
        # Prompts are text, so nothing is escaped.
        self._environment = _BoundedEnvironment(
            loader=_Loader(read), undefined=StrictUndefined, autoescape=False, cache_size=0
        )

    def render_file(self, path: str, variables: Mapping[str, Any]) -> str:
        """Render the template at ``path``. Raises ``HostError`` that names the place of what went wrong."""
        return self._render(lambda: self._environment.get_template(path), path, variables)

    def render_text(self, text: str, variables: Mapping[str, Any]) -> str:
        """Render ``text`` itself. Raises ``HostError`` that names the place of what went wrong."""
        return self._render(lambda: self._environment.from_string(text), _INLINE, variables)

    def _render(self, compiled: Callable[[], Template], name: str, variables: Mapping[str, Any]) -> str:
        try:
            return _bounded_text(compiled(), variables)
        except HostError:
            raise
        except TemplateSyntaxError as error:
            place = f"{error.name or name}:{error.lineno}"
            raise HostError(f"template: {place}: {error.message}") from error
        except UndefinedError as error:
            place = _place(error.__traceback__, name)
            raise HostError(f"template: {place}: {error.message}; give it in the template's variables") from error
        except Exception as error:  # a template runs arbitrary expressions: whatever they raise is its author's
            place = _place(error.__traceback__, name)
            raise HostError(f"template: {place}: {type(error).__name__}: {error}") from error


def _bounded_text(template: Template, variables: Mapping[str, Any]) -> str:
    pieces: list[str] = []
    length = 0
    for piece in template.generate(variables):
        length += len(piece.encode("utf-8", "replace"))
        _check_length(length)
        pieces.append(piece)
    return "".join(pieces)


def _place(traceback: TracebackType | None, name: str) -> str:
    """The innermost template line of a traceback; Jinja puts the template's name and line into its frames."""
    place = name
    while traceback is not None:
        frame = traceback.tb_frame
        if "__jinja_exception__" in frame.f_globals:
            place = f"{frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
