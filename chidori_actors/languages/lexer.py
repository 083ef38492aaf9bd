"""A tokenizer for TypeScript and JavaScript: exact enough to align a program with its transformed text.

It knows no grammar. Whether a ``/`` divides or opens a regular expression is told from the tokens before
it, with the brackets kept on a stack. Nothing makes it raise: what cannot be read becomes a token of kind
``error``.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["identifier", "private", "number", "string", "template", "regex", "punctuator", "error"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``start`` is its offset in the text; ``line`` and ``column`` are 1-based.

    Columns count code points, as editors show them (and QuickJS-NG reports them). Keywords are
    identifiers. A template literal with substitutions is several tokens: its text between back quote,
    ``${`` and ``}``, delimiters included.
    """

    kind: Kind
    text: str
    start: int
    line: int
    column: int

    @property
    def end(self) -> int:
        """The offset just after the token."""
        return self.start + len(self.text)


class Lines:
    """Offsets to lines and back. Lines end where JavaScript ends them: LF, CRLF, CR, U+2028 and U+2029."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def starts(self) -> list[int]:
        """The offset of each line's first character."""
        return [0, *(match.end() for match in _LINE_END.finditer(self._text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, 1-based, of an offset."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def text(self, line: int) -> str:
        """A line without its end; empty when there is no such line."""
        if not 1 <= line <= len(self.starts):
            return ""
        end = self.starts[line] if line < len(self.starts) else len(self._text)
        return self._text[self.starts[line - 1] : end].rstrip("\r\n\u2028\u2029")


_LINE_END = re.compile(r"\r\n|[\n\r\u2028\u2029]")
_NAME = r"(?:[$_\w\u200c\u200d]|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]+\})"
# Longest first, because the first that fits is taken.
_PUNCTUATORS = (
    r">>>=|\.\.\.|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|=>|==|!=|<=|>=|&&|\|\||\?\?|\+\+|--"
    r"|\+=|-=|\*=|%=|&=|\|=|\^=|<<|>>|\*\*|[{}()\[\];,<>+\-*%&|^!~:=@.?]"
)
# `?.` is no optional chain before a digit: `a?.5:1`.
_TOKEN = re.compile(
    rf"""
    (?P<blank>[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)
  | (?P<private>\#{_NAME}+)
  | (?P<number>(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)n?)
  | (?P<identifier>{_NAME}+)
  | (?P<string>"(?:[^"\\\n\r]|\\(?:\r\n|.))*"|'(?:[^'\\\n\r]|\\(?:\r\n|.))*')
  | (?P<punctuator>\?\.(?![0-9])|{_PUNCTUATORS})
  | (?P<error>/\*.*|["'][^\n\r]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE_PART = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?P<end>`|\$\{)", re.DOTALL)
_REGEX = re.compile(rf"/(?:[^/\\\[\n\r\u2028\u2029]|\\[^\n\r\u2028\u2029]|\[(?:[^\]\\\n\r]|\\[^\n\r])*\])+/{_NAME}*")
_HASHBANG = re.compile(r"#![^\n\r\u2028\u2029]*")
_REGEX_FOLLOWS = frozenset(
    {"return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else"}
    | {"await", "yield", "default", "extends"}
)
_CONDITION = frozenset(["if", "while", "for", "with"])
_BLOCK_FOLLOWS = frozenset(["else", "do", "try", "finally"])


_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|.)", re.DOTALL)
_SINGLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def string_value(token: Token) -> str:
    """The text that a string token stands for: quotes off, escapes replaced."""
    return _ESCAPE.sub(_unescape, token.text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in "ux" and len(escape) > 1:
        code = int(escape[1:].strip("{}"), 16)
        return chr(code) if code <= 0x10FFFF else escape
    if _LINE_END.fullmatch(escape):
        return ""
    return _SINGLE_ESCAPES.get(escape, escape)


class _Context:
    """What the tokens so far say about the next one."""

    def __init__(self) -> None:
        self.after_operand = False
        self.previous: Token | None = None
        self._previous_text = ""
        self._member = False
        # One entry an open bracket: its text, and whether what it closes is an operand (so that `/` divides).
        self.open: list[tuple[str, bool]] = []

    def see(self, token: Token) -> None:
        """Take note of a token that has just been read."""
        text = token.text
        if token.kind == "punctuator":
            self._see_punctuator(token)
        elif token.kind == "template":
            if text[0] == "}":
                self.open.pop()
            if text.endswith("${"):
                self.open.append(("${", False))
            self.after_operand = not text.endswith("${")
        elif token.kind == "identifier":
            self.after_operand = self._previous_text in (".", "?.") or text not in _REGEX_FOLLOWS
        else:
            self.after_operand = token.kind != "error"
        self._member = self._previous_text in (".", "?.")
        self.previous, self._previous_text = token, text

    def _see_punctuator(self, token: Token) -> None:
        text = token.text
        if text in ("(", "["):
            condition = text == "(" and self._previous_text in _CONDITION and not self._member
            self.open.append((text, not condition))
            self.after_operand = False
        elif text == "{":
            self.open.append((text, self._opens_object()))
            self.after_operand = False
        elif text in (")", "]", "}"):
            self.after_operand = self.open.pop()[1] if self.open else text != "}"
        elif text in ("++", "--"):
            pass  # postfix after an operand, prefix otherwise: what follows is judged as before
        else:
            # TypeScript's `value!`; a `!` on a new line begins an expression.
            previous = self.previous
            self.after_operand = (
                text == "!" and self.after_operand and previous is not None and previous.line == token.line
            )

    def _opens_object(self) -> bool:
        text = self._previous_text
        if text == ":":
            return bool(self.open) and self.open[-1] != ("{", False)
        if self.previous is None or text in ("=>", ")", ";", "{", "}") or text in _BLOCK_FOLLOWS:
            return False
        return not self.after_operand


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens of ``text`` in order; blanks and comments are skipped. Never raises."""
    lines = Lines(text)
    context = _Context()
    hashbang = _HASHBANG.match(text)
    offset = hashbang.end() if hashbang else 0
    starts, line, size = lines.starts, 1, len(text)
    while offset < size:
        kind, end = _read(text, offset, context)
        if kind is not None:
            while line < len(starts) and starts[line] <= offset:
                line += 1
            token = Token(kind, text[offset:end], offset, line, offset - starts[line - 1] + 1)
            context.see(token)
            yield token
        offset = end


def _read(text: str, offset: int, context: _Context) -> tuple[Kind | None, int]:
    """Kind and end of what stands at ``offset``; the kind is None for blanks and comments."""
    first = text[offset]
    if first == "`" or (first == "}" and context.open and context.open[-1][0] == "${"):
        part = _TEMPLATE_PART.match(text, offset + 1)
        return ("template", part.end()) if part else ("error", len(text))
    match = _TOKEN.match(text, offset)
    if match is not None:
        kind = match.lastgroup
        assert kind is not None
        return (None if kind == "blank" else _KINDS[kind]), match.end()
    if first == "/":
        return _read_slash(text, offset, context)
    return "error", offset + 1


_KINDS: dict[str, Kind] = {
    "private": "private",
    "number": "number",
    "identifier": "identifier",
    "string": "string",
    "punctuator": "punctuator",
    "error": "error",
}


def _read_slash(text: str, offset: int, context: _Context) -> tuple[Kind, int]:
    if context.after_operand:
        return "punctuator", offset + (2 if text.startswith("/=", offset) else 1)
    regex = _REGEX.match(text, offset)
    if regex:
        return "regex", regex.end()
    line_end = _LINE_END.search(text, offset)
    return "error", line_end.start() if line_end else len(text)
