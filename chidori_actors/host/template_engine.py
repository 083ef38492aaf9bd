"""Jinja templates, rendered within bounds and with errors that name template, line and variable."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import BaseLoader, Environment, Template, TemplateSyntaxError, UndefinedError

from .function import HostError
from .template_bounds import BoundedEnvironment, bounded_time, check_length, place_in_template

_INLINE = "<template>"


class _Loader(BaseLoader):
    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source = self._read(template)
        check_length(len(source))
        return source, template, lambda: True


class TemplateEngine:
    """Renders templates; ``read`` gives a template's text by its path, or raises ``HostError``."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._environment = BoundedEnvironment(_Loader(read))

    def render_file(self, path: str, variables: Mapping[str, Any]) -> str:
        """Render the template at ``path``. Raises ``HostError`` that names the place of what went wrong."""
        return self._render(lambda: self._environment.get_template(path), path, variables)

    def render_text(self, text: str, variables: Mapping[str, Any]) -> str:
        """Render ``text`` itself. Raises ``HostError`` that names the place of what went wrong."""

        def compiled() -> Template:
            check_length(len(text))
            return self._environment.from_string(text)

        return self._render(compiled, _INLINE, variables)

    def _render(self, compiled: Callable[[], Template], name: str, variables: Mapping[str, Any]) -> str:
        try:
            with bounded_time(self._environment):
                return _bounded_text(compiled(), variables)
        except HostError:
            raise
        except TemplateSyntaxError as error:
            place = f"{error.name or name}:{error.lineno}"
            raise HostError(f"template: {place}: {error.message}") from error
        except UndefinedError as error:
            place = place_in_template(error.__traceback__, name)
            raise HostError(f"template: {place}: {error.message}; give it in the template's variables") from error
        except MemoryError as error:
            raise HostError(f"template: {name}: it needs too much memory") from error
        except RecursionError as error:
            place = place_in_template(error.__traceback__, name)
            raise HostError(f"template: {place}: it is nested too deeply, or calls itself without end") from error
        except Exception as error:  # a template runs arbitrary expressions: whatever they raise is its author's
            place = place_in_template(error.__traceback__, name)
            raise HostError(f"template: {place}: {error}") from error


def _bounded_text(template: Template, variables: Mapping[str, Any]) -> str:
    pieces: list[str] = []
    length = 0
    for piece in template.generate(variables):
        length += len(piece.encode("utf-8", "replace"))
        check_length(length)
        pieces.append(piece)
    return "".join(pieces)
