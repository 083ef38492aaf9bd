"""Where a syntax error is, found by asking the parser about prefixes of the source.

The transform's diagnostics carry no position. Its parser stops at the first token it cannot use and never
looks beyond it, so the diagnostic is already there in the text up to that token, whatever follows; and
without that token it is not there, at least for one of a few continuations. A binary search over the
tokens finds the place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .lexer import Lines, Token, tokenize

# Enough kinds of token that each state of the parser accepts one of them, or refuses them with different
# words.
_CONTINUATIONS = ("", " x", " ;", " (", ' "x"', " }", " {")
_CLOSERS = {"(": ")", "[": "]", "{": "}", "${": "}"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A syntax error in words, with the place it should be shown at. Line and column are 1-based."""

    message: str
    line: int
    column: int
    source_line: str
    hint: str | None = None


def explain(source: str, diagnostics: str, diagnose: Callable[[str], str | None]) -> Finding:
    """Find the place of an error.

    Args:
        source: the faulty text.
        diagnostics: what the parser said about it; several messages are separated by ``"; "``.
        diagnose: the parser: diagnostics of a text, or None when it is well-formed.
    """
    tokens = list(tokenize(source))
    message = diagnostics.split("; ", 1)[0]
    index = _first_faulty(source, tokens, message, diagnose)
    if index is None:
        return _unclosed(source, tokens, message)
    token = _blamed(source, tokens, index, message, diagnose)
    hint = _hint(source, tokens, index)
    if message == "Unexpected token":
        message = f"Unexpected `{_shorten(token.text)}`"
    return _at(source, token.start, message, hint)


def _blamed(
    source: str, tokens: Sequence[Token], index: int, message: str, diagnose: Callable[[str], str | None]
) -> Token:
    """The token to show for a fault that shows itself with ``tokens[index]``."""
    if message.startswith("Unterminated"):
        # What would end a string is often in a later one, and a continuation may end it too.
        return next((token for token in reversed(tokens[: index + 1]) if token.kind == "error"), tokens[index])
    before = tokens[index - 1] if index else None
    if before is None or before.line == tokens[index].line or message.startswith(("Unexpected", "Expected")):
        return tokens[index]
    # Faults of a whole statement are found when it ends, which without a semicolon is at the next line's
    # first token.
    prefix = source[: before.end]
    ends_there = any(message in (diagnose(prefix + more) or "") for more in _CONTINUATIONS)
    return before if ends_there else tokens[index]


def _hint(source: str, tokens: Sequence[Token], index: int) -> str | None:
    """Imports and exports stand at the top level, so one that is refused points to a bracket left open
    before it.
    """
    if tokens[index].text not in ("export", "import"):
        return None
    opener = _unclosed_bracket(source, tokens[:index])
    if opener is None:
        return None
    return f"`{_sign(opener)}` at line {opener.line}, column {opener.column} may not be closed"


def _at(source: str, offset: int, message: str, hint: str | None = None) -> Finding:
    lines = Lines(source)
    line, column = lines.place(offset)
    return Finding(message, line, column, lines.text(line), hint)


def _shorten(text: str) -> str:
    first = text.splitlines()[0]
    return first if len(first) <= 40 else first[:39] + "…"


def _first_faulty(
    source: str, tokens: Sequence[Token], message: str, diagnose: Callable[[str], str | None]
) -> int | None:
    """Index of the first token up to which the text has the fault; None when only the end of the file has
    it.
    """

    def faulty(count: int) -> bool:
        prefix = source[: tokens[count - 1].end]
        return all(message in (diagnose(prefix + more) or "") for more in _CONTINUATIONS)

    if not tokens or not faulty(len(tokens)):
        return None
    low, high = 1, len(tokens)
    while low < high:
        middle = (low + high) // 2
        if faulty(middle):
            high = middle
        else:
            low = middle + 1
    return low - 1


def _unclosed(source: str, tokens: Sequence[Token], message: str) -> Finding:
    if tokens and tokens[-1].kind == "error":
        return _at(source, tokens[-1].start, message)
    opener = _unclosed_bracket(source, tokens)
    if opener is not None:
        sign = _sign(opener)
        start = opener.end - 2 if opener.kind == "template" else opener.start
        return _at(source, start, f"`{sign}` is never closed: expected `{_CLOSERS[sign]}`")
    end = tokens[-1].end if tokens else 0
    return _at(source, end, message if message != "Unexpected token" else "Unexpected end of the file")


def _sign(opener: Token) -> str:
    return "${" if opener.kind == "template" else opener.text


def _unclosed_bracket(source: str, tokens: Sequence[Token]) -> Token | None:
    """The bracket that most likely lacks its partner.

    A closing bracket that begins a line closes what was opened on a line of the same indentation. Where
    the two differ, the opener has taken a partner that was meant for another one.
    """
    lines = Lines(source)
    stack: list[Token] = []
    suspect: Token | None = None
    for token in tokens:
        text = token.text
        closes = text in (")", "]", "}") if token.kind == "punctuator" else token.kind == "template" and text[0] == "}"
        if closes and stack:
            opener = stack.pop()
            if suspect is None and token.kind == "punctuator" and _misfits(lines, opener, token):
                suspect = opener
        opens = (
            text in ("(", "[", "{") if token.kind == "punctuator" else token.kind == "template" and text[-2:] == "${"
        )
        if opens:
            stack.append(token)
    if not stack:
        return None
    return suspect or stack[-1]


def _misfits(lines: Lines, opener: Token, closer: Token) -> bool:
    closing_line = lines.text(closer.line)
    indent = len(closing_line) - len(closing_line.lstrip())
    if opener.line == closer.line or closer.column != indent + 1:
        return False
    opening_line = lines.text(opener.line)
    return len(opening_line) - len(opening_line.lstrip()) > indent
