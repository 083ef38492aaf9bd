"""What a module imports and exports, read from its tokens (JavaScript: the types are gone)."""

from collections.abc import Sequence
from dataclasses import dataclass

from .lexer import Token, string_value, tokenize


@dataclass(frozen=True, slots=True)
class Import:
    """A static import or re-export of another module; the position is that of the specifier."""

    specifier: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ModuleSyntax:
    """``dynamic`` is the first ``import(…)``; ``stars`` are the specifiers of ``export * from``."""

    imports: tuple[Import, ...]
    dynamic: Token | None
    exports: frozenset[str]
    stars: tuple[str, ...]


def read_module_syntax(code: str) -> ModuleSyntax:
    """Find imports and exports in JavaScript. Never raises: broken code gives what can be recognised."""
    tokens = list(tokenize(code))
    imports: list[Import] = []
    dynamic: Token | None = None
    exports: set[str] = set()
    stars: list[str] = []
    for index, token in enumerate(tokens):
        if token.kind != "identifier" or token.text not in ("import", "export") or _is_name(tokens, index):
            continue
        if token.text == "import" and _is_dynamic(tokens, index):
            dynamic = dynamic or token
            continue
        source = _import_source(tokens, index) if token.text == "import" else _export_source(tokens, index)
        if source is not None:
            imports.append(Import(string_value(source), source.line, source.column))
        if token.text == "export":
            exports.update(_exported_names(tokens, index))
            if source is not None and _text(tokens, index + 1) == "*" and _text(tokens, index + 2) != "as":
                stars.append(string_value(source))
    return ModuleSyntax(tuple(imports), dynamic, frozenset(exports), tuple(stars))


def _text(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _is_name(tokens: Sequence[Token], index: int) -> bool:
    """Whether the word is the name of a member: ``x.import``, ``{ import: 1 }``, ``{ import() {} }``."""
    if _text(tokens, index - 1) in (".", "?.") or _text(tokens, index + 1) in (":", "="):
        return True
    if _text(tokens, index + 1) != "(":
        return False
    close = _matching(tokens, index + 1)
    # Nothing but a method has a `{` right after its parentheses; on a new line it would begin a block.
    return _text(tokens, close + 1) == "{" and tokens[close].line == tokens[close + 1].line


def _is_dynamic(tokens: Sequence[Token], index: int) -> bool:
    following = _text(tokens, index + 1)
    if following == ".":
        return _text(tokens, index + 2) in ("source", "defer") and _text(tokens, index + 3) == "("
    return following == "("


def _matching(tokens: Sequence[Token], index: int) -> int:
    """Index of the bracket that closes the one at ``index``; the last index when there is none."""
    depth = 0
    for at in range(index, len(tokens)):
        if tokens[at].kind == "punctuator":
            depth += (tokens[at].text in ("(", "[", "{")) - (tokens[at].text in (")", "]", "}"))
            if depth == 0:
                return at
    return len(tokens) - 1


def _import_source(tokens: Sequence[Token], index: int) -> Token | None:
    if index + 1 < len(tokens) and tokens[index + 1].kind == "string":
        return tokens[index + 1]
    at = index + 1
    while at < len(tokens):
        if tokens[at].text == "{":
            at = _matching(tokens, at)
        elif tokens[at].kind != "identifier" and tokens[at].text not in (",", "*"):
            return None
        elif tokens[at].text == "from" and at + 1 < len(tokens) and tokens[at + 1].kind == "string":
            return tokens[at + 1]
        at += 1
    return None


def _export_source(tokens: Sequence[Token], index: int) -> Token | None:
    first = _text(tokens, index + 1)
    if first == "{":
        at = _matching(tokens, index + 1) + 1
    elif first == "*":
        at = index + (4 if _text(tokens, index + 2) == "as" else 2)
    else:
        return None
    found = _text(tokens, at) == "from" and at + 1 < len(tokens) and tokens[at + 1].kind == "string"
    return tokens[at + 1] if found else None


def _exported_names(tokens: Sequence[Token], index: int) -> set[str]:
    at = index + 1
    first = _text(tokens, at)
    if first == "{":
        return _names_in_braces(tokens[at + 1 : _matching(tokens, at)])
    if first == "*":
        return {_text(tokens, at + 2)} if _text(tokens, at + 1) == "as" else set()
    if first in ("const", "let", "var"):
        return _declared_names(tokens, at + 1)
    while _text(tokens, at) in ("async", "function", "class", "*"):
        at += 1
    return {_text(tokens, at)}


def _names_in_braces(inside: Sequence[Token]) -> set[str]:
    """``a, b as c, d as "e"``: the last word before each comma."""
    names = set()
    for at, token in enumerate(inside):
        if token.text != "," and _text(inside, at + 1) in (",", ""):
            names.add(string_value(token) if token.kind == "string" else token.text)
    return names


def _declared_names(tokens: Sequence[Token], at: int) -> set[str]:
    """Names of a declaration's plain declarators; of a destructuring one every word of the pattern."""
    names = set()
    if _text(tokens, at) in ("{", "["):
        return {token.text for token in tokens[at : _matching(tokens, at)] if token.kind == "identifier"}
    names.add(_text(tokens, at))
    while at < len(tokens) and tokens[at].text != ";":
        if tokens[at].text in ("(", "[", "{"):
            at = _matching(tokens, at)
        elif tokens[at].text == "," and _text(tokens, at + 2) in ("=", ",", ";"):
            names.add(_text(tokens, at + 1))
        elif tokens[at].text in ("export", "import"):
            break
        at += 1
    return names
