"""Where a call or a fault stands, from where the engine says it does.

QuickJS reports the place of what it evaluated last before a call, which is the last argument; people look for the
call itself.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from .lexer import Token, tokenize

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_OF_NOTHING = re.compile(r"cannot (?:read|set) property '(?P<name>[^']+)' of (?:undefined|null)")
_UNKNOWN = re.compile(r"'?(?P<name>[\w$]+)'? is not (?:defined|initialized)|(?P<absent>process)\..* is not there .*")


def call_start(code: str, line: int, column: int, names: Collection[str]) -> tuple[int, int]:
    """The place at which the call around ``line``, ``column`` begins that calls one of ``names``.

    Of ``chidori.prompt("a", {b})`` that is the place of ``chidori``. The given place when there is no such call. Places
    are 1-based.
    """
    tokens = _tokens(code)
    at = _index_at(tokens, line, column)
    depth = 0
    for index in range(at, -1, -1):
        text = tokens[index].text
        if depth == 0 and text in names and index + 1 < len(tokens) and tokens[index + 1].text == "(":
            first = _chain_start(tokens, index)
            return first.line, first.column
        if text in _CLOSING and index != at:
            depth += 1
        elif text in _OPENING and depth:
            depth -= 1
    return line, column


def next_use(code: str, line: int, column: int, name: str, *, as_property: bool) -> tuple[int, int]:
    """The place of the first ``name`` (``.name`` when ``as_property``) at or behind ``line``, ``column``.

    The engine notes places only of calls, so the error of a property of ``undefined`` or of an unknown name seems to
    come from the call before it. The given place when the name does not follow.
    """
    tokens = _tokens(code)
    for index in range(max(_index_at(tokens, line, column), 1), len(tokens)):
        token = tokens[index]
        if token.text == name and (tokens[index - 1].text in (".", "?.")) == as_property:
            return token.line, token.column
    return line, column


def fault_place(code: str, line: int, column: int, message: str) -> tuple[int, int]:
    """The place of what the engine's ``message`` is about: a property of nothing, or a name that is not there.

    The given place for any other message.
    """
    fault = _OF_NOTHING.fullmatch(message) or _UNKNOWN.fullmatch(message)
    if fault is None:
        return line, column
    return next_use(code, line, column, fault[fault.lastgroup or 0], as_property=fault.re is _OF_NOTHING)


@lru_cache(maxsize=16)
def _tokens(code: str) -> tuple[Token, ...]:
    return tuple(tokenize(code))


def _index_at(tokens: tuple[Token, ...], line: int, column: int) -> int:
    """The last token that begins at or before the place."""
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high) // 2
        if (tokens[middle].line, tokens[middle].column) <= (line, column):
            low = middle + 1
        else:
            high = middle
    return low - 1


def _chain_start(tokens: tuple[Token, ...], index: int) -> Token:
    """Of ``a.b.c`` the token ``a``, given the index of ``c``."""
    while index >= 2 and tokens[index - 1].text in (".", "?."):
        index -= 2
    return tokens[index]
