"""The lines around a place in an agent's source, as it was written when the run was made."""

from typing import Any

from ..languages.bundle import Bundle
from ..session.failure import Place

_BEFORE, _LINES = 4, 8


def place_view(place: Place) -> dict[str, Any]:
    """``{path, line, column}``, 1-based."""
    return {"path": place.path, "line": place.line, "column": place.column}


def source_excerpt(bundle: Bundle, place: Place) -> dict[str, Any]:
    """``{path, first_line, lines, line, column}``: eight lines with that of the place among them."""
    # As `lexer.Lines` counts them; a form feed, say, ends none.
    lines = bundle.module(place.path).source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = max(1, place.line - _BEFORE)
    return {"first_line": first, "lines": lines[first - 1 : first - 1 + _LINES], **place_view(place)}
