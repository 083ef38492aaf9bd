"""Two values compared line by line, however large they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import orjson

from . import exact_json

Op = Literal[" ", "-", "+"]
Line = tuple[Op, str]

_CONTEXT = 20
"""So many lines are shown before the first difference and after the last."""
_COMPARED = 400
"""So many lines of each value between these are compared: more would take longer than others can wait."""
_LONGEST_LINE = 2000
_INDENTED_BYTES = 256 << 10
"""A larger value is not indented; its JSON text is folded."""
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LineDiff:
    """Lines of the left value alone (``-``), of the right one alone (``+``) or of both; none for equal values.

    ``is_cut``: something of the values is not in there.
    """

    lines: Sequence[Line] = ()
    is_cut: bool = False

    def to_json(self) -> list[dict[str, str]]:
        """``[{op, text}]``."""
        return [{"op": op, "text": text} for op, text in self.lines]


def diff_json(left: bytes | None, right: bytes | None) -> LineDiff:
    """Compare JSON texts, indented, and strings by their own lines; None has no lines."""
    if left == right:
        return LineDiff()
    sides = [_lines(side) for side in (left, right)]
    shortest = min(len(side) for side in sides)
    before = next((place for place in range(shortest) if sides[0][place] != sides[1][place]), shortest)
    after = 0
    while after < shortest - before and sides[0][-1 - after] == sides[1][-1 - after]:
        after += 1
    middle = [side[before : len(side) - after] for side in sides]
    around = sides[0][max(0, before - _CONTEXT) : before], sides[0][len(sides[0]) - after :][:_CONTEXT]
    lines: list[Line] = [
        *((" ", text) for text in around[0]),
        *_compared(middle[0][:_COMPARED], middle[1][:_COMPARED]),
        *((" ", text) for text in around[1]),
    ]
    is_cut = any(_is_folded(side) for side in (left, right)) or any(len(side) > _COMPARED for side in middle)
    clipped = [(op, text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + "…") for op, text in lines]
    return LineDiff(clipped, is_cut or clipped != lines)


def _compared(left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    for tag, *(left_from, left_to, right_from, right_to) in SequenceMatcher(None, left, right).get_opcodes():
        if tag == "equal":
            yield from ((" ", text) for text in left[left_from:left_to])
            continue
        yield from (("-", text) for text in left[left_from:left_to])
        yield from (("+", text) for text in right[right_from:right_to])


def _is_folded(text: bytes | None) -> bool:
    return text is not None and len(text) > _MOST_BYTES


def _lines(text: bytes | None) -> list[str]:
    if text is None:
        return []
    if len(text) > _INDENTED_BYTES:
        shown = text[:_MOST_BYTES].decode("utf-8", "replace")
        return [shown[start : start + _LONGEST_LINE] for start in range(0, len(shown), _LONGEST_LINE)]
    value: Any = exact_json.loads(text)
    if isinstance(value, str):
        return value.split("\n")
    return exact_json.dumps(value, option=orjson.OPT_INDENT_2).decode().split("\n")
