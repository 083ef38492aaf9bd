"""A Starlark file's text, and faults in it."""

import ast
import re
from dataclasses import dataclass
from functools import cached_property

from ...errors import SourceError

_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Source:
    """``path`` is how positions name the file."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return _NEWLINE.split(self.text)

    def place(self, node: ast.AST) -> tuple[int, int]:
        """Line and column of a node (1-based, code points)."""
        line: int = getattr(node, "lineno", 1)
        at: int = getattr(node, "col_offset", 0)
        text = self.lines[line - 1]
        return line, (at if text.isascii() else len(text.encode()[:at].decode(errors="replace"))) + 1

    def fault(self, at: ast.AST | tuple[int, int], message: str, hint: str | None = None) -> SourceError:
        """The error that shows ``message`` at a node or at a line and column (1-based, code points)."""
        line, column = self.place(at) if isinstance(at, ast.AST) else at
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return SourceError(message, path=self.path, line=line, column=column, source_line=text, hint=hint)
