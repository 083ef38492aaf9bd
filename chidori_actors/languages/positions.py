"""Positions of transformed code in the source as written.

The transform prints the program anew: types and most comments are gone, blanks and quotes differ, enums
and parameter properties have become code. It gives no source map. What it keeps, it keeps in order, so the
two token streams are aligned: first on runs of tokens that occur equally often in both, ideally once
(patience diff), then between those by the alignment of fewest interruptions.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from .lexer import Token, string_value, tokenize

_RUN_LENGTHS = (8, 5, 3, 1)
_MAX_CELLS = 250_000
"""Bounds the work of one gap: about half a second. A larger one is aligned by its unique tokens alone."""
_INTERRUPTION = 3
"""Cost of beginning to skip tokens on one side; each skipped token of the source costs 1 more."""
_UNMATCHED = 4
"""Cost of each skipped token of the transformed code: nearly all of them have a counterpart, types have
none.
"""
_FAR = 1 << 30


class Positions:
    """Maps positions of ``transformed`` to ``source``; nothing is computed before the first question."""

    def __init__(self, source: str, transformed: str) -> None:
        self._source = source
        self._transformed = transformed

    def original(self, line: int, column: int) -> tuple[int, int]:
        """Line and column (1-based, code points) in the source of a position in the transformed code.

        A position inside or after a token that has no counterpart gives the place of the nearest token
        before it that has one; the distance within a token is kept.
        """
        if self._source == self._transformed:
            return line, column
        places, originals = self._table
        index = bisect_right(places, (line, column)) - 1
        if index < 0:
            return originals[0][:2] if originals else (1, 1)
        found_line, found_column, length = originals[index]
        at_line, at_column = places[index]
        within = column - at_column if line == at_line else 0
        return found_line, found_column + (within if within < length else 0)

    @cached_property
    def _table(self) -> tuple[list[tuple[int, int]], list[tuple[int, int, int]]]:
        """Places of the aligned tokens in the transformed code, and line, column and length of each in the
        source.
        """
        printed, written = list(tokenize(self._transformed)), list(tokenize(self._source))
        places: list[tuple[int, int]] = []
        originals: list[tuple[int, int, int]] = []
        for ours, theirs in align([_key(t) for t in printed], [_key(t) for t in written]):
            places.append((printed[ours].line, printed[ours].column))
            originals.append((written[theirs].line, written[theirs].column, len(written[theirs].text)))
        return places, originals


def _key(token: Token) -> str:
    """What two spellings of the same token have in common."""
    if token.kind == "string":
        return '"' + string_value(token)
    if token.kind == "number":
        return _number(token.text.replace("_", ""))
    return token.text


def _number(text: str) -> str:
    try:
        if text.endswith("n"):
            return f"{int(text[:-1], 0)}n"
        return str(float(int(text, 0)) if text[:2].lower() in ("0x", "0o", "0b") else float(text))
    except (ValueError, OverflowError):
        return text


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of both sequences, end exclusive."""

    left: int
    left_end: int
    right: int
    right_end: int


def align(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of indexes of equal items, increasing in both, with few interruptions."""
    # Each pair is one item; equal texts become equal small numbers, which compare faster.
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(text, len(numbers)) for text in left]
    b = [numbers.setdefault(text, len(numbers)) for text in right]
    return list(_align(a, b, _Span(0, len(a), 0, len(b)), 0))


def _align(a: Sequence[int], b: Sequence[int], span: _Span, depth: int) -> Iterator[tuple[int, int]]:
    width, height = span.left_end - span.left, span.right_end - span.right
    if not width or not height:
        return
    if width * height <= _MAX_CELLS // 100 or depth == len(_RUN_LENGTHS):
        yield from _cheapest(a, b, span) if width * height <= _MAX_CELLS else ()
        return
    for part in _between_anchors(a, b, span, _RUN_LENGTHS[depth]):
        if isinstance(part, _Span):
            yield from _align(a, b, part, depth + 1)
        else:
            yield part


def _between_anchors(a: Sequence[int], b: Sequence[int], span: _Span, length: int) -> Iterator[_Span | tuple[int, int]]:
    """The common runs of a span as pairs, and the gaps between them as spans, in order."""
    left, right = span.left, span.right
    for at, to in _common_runs(a, b, span, length):
        if at < left or to < right:
            # A run that overlaps the one before it: what they share has been given already.
            shift = max(left - at, right - to)
            if shift >= length or at + shift != left or to + shift != right:
                continue
            at, to = at + shift, to + shift
            size = length - shift
        else:
            size = length
        if at > left or to > right:
            yield _Span(left, at, right, to)
        for step in range(size):
            yield at + step, to + step
        left, right = at + size, to + size
    yield _Span(left, span.left_end, right, span.right_end)


def _common_runs(a: Sequence[int], b: Sequence[int], span: _Span, length: int) -> list[tuple[int, int]]:
    ours = _occurrences(a, span.left, span.left_end, length)
    theirs = _occurrences(b, span.right, span.right_end, length)
    pairs: list[tuple[int, int]] = []
    for run, places in ours.items():
        counterparts = theirs.get(run, ())
        # Repetitive code has no unique runs; a long run that both have equally often is paired in order.
        if len(places) == len(counterparts) and (length >= 3 or len(places) == 1):
            pairs += zip(places, counterparts, strict=True)
    return _longest_increasing(sorted(pairs))


def _occurrences(items: Sequence[int], start: int, end: int, length: int) -> dict[tuple[int, ...], list[int]]:
    seen: dict[tuple[int, ...], list[int]] = {}
    for at in range(start, end - length + 1):
        seen.setdefault(tuple(items[at : at + length]), []).append(at)
    return seen


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    tails: list[int] = []  # the smallest second item that ends an increasing sequence of each length
    ends: list[int] = []
    before: list[int] = []
    for index, (_, value) in enumerate(pairs):
        place = bisect_right(tails, value)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(value)
            ends.append(index)
        else:
            tails[place], ends[place] = value, index
    chain: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _cheapest(a: Sequence[int], b: Sequence[int], span: _Span) -> Iterator[tuple[int, int]]:
    """The alignment of least cost: dynamic programming with affine gaps, from the end to the start.

    ``best[j]`` is the cost from here on, ``skip_a`` and ``skip_b[j]`` the cost once an item of that side
    is skipped. Of equal costs the earliest pair wins: a name stands before its type.
    """
    xs, ys = a[span.left : span.left_end], b[span.right : span.right_end]
    height, width = len(xs), len(ys)
    moves: list[bytearray] = []
    best = [0] + [_INTERRUPTION + count for count in range(1, width + 1)]
    best.reverse()
    down = [_FAR] * (width + 1)
    for i in range(height - 1, -1, -1):
        best, down, row = _row(xs[i], ys, best, down, _INTERRUPTION + _UNMATCHED * (height - i))
        moves.append(row)
    moves.reverse()
    i = j = 0
    skipping = 0
    while i < height and j < width:
        move = moves[i][j]
        step = skipping or move & 3
        if step == _PAIR:
            yield span.left + i, span.right + j
            i, j = i + 1, j + 1
        elif step == _SKIP_A:
            skipping = _SKIP_A if move & 4 else 0
            i += 1
        else:
            skipping = _SKIP_B if move & 8 else 0
            j += 1


_PAIR, _SKIP_A, _SKIP_B = 1, 2, 3


def _row(
    x: int, ys: Sequence[int], below: Sequence[int], below_down: Sequence[int], last: int
) -> tuple[list[int], list[int], bytearray]:
    """One row of the table: costs, costs of skipping on, and moves (bit 2: skip on downwards, bit 3:
    rightwards).
    """
    width = len(ys)
    best, down, moves = [0] * (width + 1), [0] * (width + 1), bytearray(width + 1)
    best[width] = down[width] = last
    across = _FAR
    for j in range(width - 1, -1, -1):
        go_down, on_down = below[j], below_down[j]
        move = 0
        if on_down <= go_down:
            move, go_down = 4, on_down
        down[j] = go_down + _UNMATCHED
        go_across = best[j + 1]
        if across <= go_across:
            move |= 8
            go_across = across
        across = go_across + 1
        cost, step = across + _INTERRUPTION, _SKIP_B
        if down[j] + _INTERRUPTION < cost:
            cost, step = down[j] + _INTERRUPTION, _SKIP_A
        if x == ys[j] and below[j + 1] <= cost:
            cost, step = below[j + 1], _PAIR
        best[j] = cost
        moves[j] = move | step
    return best, down, moves
