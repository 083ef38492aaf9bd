"""Starlark text to Python's ``ast``. The grammars are nearly the same; what only Python has is refused here, as far as
tokens show it, and in ``check.py``."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator

from .source import Source

_NO_ERRORS = 'try_call(function) gives {"value": …, "error": …}'
_RESERVED: dict[str, str | None] = {
    "as": 'load("./file.star", own = "name") gives a name of your own',
    "assert": 'write: if not …: fail("…")',
    "async": "leave it out: calls are waited for without it",
    "await": "leave it out: calls are waited for without it",
    "class": "use dicts and functions",
    "del": "use d.pop(key) or l.pop(index)",
    "except": _NO_ERRORS,
    "finally": _NO_ERRORS,
    "from": 'functions of the host need no import; load("./file.star", "name") is for own files',
    "global": "keep what changes in a dict or a list",
    "import": 'functions of the host need no import; load("./file.star", "name") is for own files',
    "is": "write == instead",
    "nonlocal": "keep what changes in a dict or a list",
    "raise": 'write: fail("…")',
    "try": _NO_ERRORS,
    "while": "write a loop with an end: for _ in range(1000): … and break",
    "with": "there is nothing to open or close: call the functions",
    "yield": "build a list and return it",
}
_STRING = re.compile(r"([A-Za-z]*)['\"]")
_PREFIXES = ("", "r", "f", "fr", "rf")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0|[1-9][0-9]*|[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?")
_SELF_NAMING = re.compile(r"(?<!\{)(?:\{\{)*\{\s*\w+\s*=\s*(?:!\w)?\}")
_ESCAPE = re.compile(r"\(unicode error\).*: (.*)")
_FOREIGN = {
    "&&": "write: a and b",
    r"\|\|": "write: a or b",
    "<>": "write: a != b",
    "=>": "write: lambda x: …",
    "!(?!=)": "write: not a",
    r"\+\+|--": "write: x += 1 or x -= 1",
    r"\?": "write: a if … else b",
    r"\{": "write a colon, and indent what is inside",
    r"\b(?:const|let|var)\b": "leave the word out: name = value",
    r"\bfunction\b": "write: def name(…):",
    r"\belse\s+if\b": "write: elif",
    "//": "comments begin with #",
}
"""What other languages write, and what to write instead, where Python cannot make sense of it."""
_OPERATORS = {
    ":=": "assign in a statement of its own",
    "@": "Starlark has no decorators and no matrices",
    "...": "write pass for an empty body",
    "->": None,
}


def parse(source: Source) -> ast.Module:
    """The tree of a file.

    Raises:
        SourceError: it cannot be read as Starlark.
    """
    _check_tokens(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" is two characters in Starlark, and no cause for a warning
            return ast.parse(source.text, source.path)
    except SyntaxError as error:
        place = (error.lineno or 1, max(error.offset or 1, 1))
        message = (error.msg or "the syntax is wrong").rstrip(".")
        escape = _ESCAPE.fullmatch(message)
        if escape:
            raise source.fault(place, f"the string has an escape that is none: {escape[1]}") from None
        hint = _written_elsewhere(source, *place) if message in ("invalid syntax", "expected ':'") else None
        raise source.fault(place, message, hint) from None
    except (RecursionError, MemoryError):
        raise source.fault((1, 1), "the code is nested too deep") from None
    except ValueError as error:
        raise source.fault((1, 1), f"the file is not text: {error}") from None


def _written_elsewhere(source: Source, line: int, column: int) -> str | None:
    text = source.lines[line - 1] if line <= len(source.lines) else ""
    for pattern, hint in _FOREIGN.items():
        if any(found.start() <= column - 1 <= found.end() + 1 for found in re.finditer(pattern, text)):
            return hint
    return None


def _tokens(source: Source) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(source.text).readline)
    except (tokenize.TokenError, SyntaxError):
        return  # the parser says it better


def _check_tokens(source: Source) -> None:
    before: tokenize.TokenInfo | None = None
    for token in _tokens(source):
        if token.type in (tokenize.NL, tokenize.COMMENT):
            continue
        place = (token.start[0], token.start[1] + 1)
        if token.type == tokenize.NAME:
            _check_name(source, token.string, place)
        elif token.type == tokenize.NUMBER:
            _check_number(source, token.string, place)
        elif token.type == tokenize.STRING:
            _check_string(source, token.string, place)
            if before is not None and before.type == tokenize.STRING:
                raise source.fault(place, "strings side by side are not joined", "write + between them")
        elif token.type == tokenize.OP and _OPERATORS.get(token.string) is not None:
            raise source.fault(place, f"`{token.string}` is not part of Starlark", _OPERATORS[token.string])
        elif token.type == tokenize.INDENT and "\t" in token.string:
            raise source.fault(place, "the indentation has a tab", "indent by spaces")
        before = token


def _check_name(source: Source, name: str, place: tuple[int, int]) -> None:
    if name in _RESERVED:
        raise source.fault(place, f"`{name}` is not part of Starlark", _RESERVED[name])
    if not name.isascii():
        raise source.fault(place, f"the name `{name}` has letters other than a-z, A-Z, 0-9 and _")


def _check_number(source: Source, text: str, place: tuple[int, int]) -> None:
    if _NUMBER.fullmatch(text):
        return
    if "_" in text:
        raise source.fault(place, f"`{text}` has an underscore", f"write {text.replace('_', '')}")
    if text[-1] in "jJ":
        raise source.fault(place, f"`{text}`: Starlark has no complex numbers")
    raise source.fault(place, f"`{text}` is not a number of Starlark", f"write {text.lstrip('0') or '0'} or 0o{text}")


def _check_string(source: Source, text: str, place: tuple[int, int]) -> None:
    found = _STRING.match(text)
    prefix = found[1].lower() if found else ""
    if prefix not in _PREFIXES:
        raise source.fault(
            place, f"strings with the prefix `{prefix}` are not part of Starlark", "leave the prefix out"
        )
    if "f" in prefix and _SELF_NAMING.search(text):
        raise source.fault(place, "`=` cannot stand in the braces of an f-string", 'write: f"x={x}"')
