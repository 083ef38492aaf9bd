"""Charts as SVG: lines over two logarithmic axes, and bars made of parts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

Point = tuple[float, float]

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#f0e442")
"""Told apart by people who do not see all colours, too (Okabe and Ito)."""
_INK, _GRID = "#222222", "#dddddd"
_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 48, 60
_BAR, _BAR_STEP = 26, 62
_CHARACTER = 6.6
"""Pixels of an average character at the size that is used."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line through ``points``; ``marks`` are shown as circles of the same colour without a line."""

    name: str
    points: Sequence[Point]
    marks: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its label, and by the name of each part its size."""

    label: str
    parts: Mapping[str, float]


def line_chart(title: str, x_label: str, y_label: str, series: Sequence[Series]) -> str:
    """Lines over logarithmic axes, as an SVG document. All coordinates are above zero."""
    points = [point for one in series for point in (*one.points, *one.marks)]
    across = _Axis(min(x for x, _ in points), max(x for x, _ in points), _LEFT, _WIDTH - _RIGHT)
    up = _Axis(min(y for _, y in points), max(y for _, y in points), _HEIGHT - _BOTTOM, _TOP)
    root = _document(_HEIGHT, title)
    for value in across.ticks():
        x = across.at(value)
        _line(root, x, _TOP, x, _HEIGHT - _BOTTOM, _GRID)
        _text(root, x, _HEIGHT - _BOTTOM + 18, _number(value), "middle")
    for value in up.ticks():
        y = up.at(value)
        _line(root, _LEFT, y, _WIDTH - _RIGHT, y, _GRID)
        _text(root, _LEFT - 8, y + 4, _number(value), "end")
    _text(root, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 16, x_label, "middle")
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    _text(root, 20, middle, y_label, "middle").set("transform", f"rotate(-90 20 {middle:.1f})")
    for index, one in enumerate(series):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in one.points)
        SubElement(root, "polyline", {"points": path, "fill": "none", "stroke": colour, "stroke-width": "2"})
        for x, y in one.marks:
            circle = {"cx": f"{across.at(x):.1f}", "cy": f"{up.at(y):.1f}", "r": "4", "fill": colour}
            SubElement(root, "circle", circle)
        _key(root, _WIDTH - _RIGHT - 280, _HEIGHT - _BOTTOM - 20 * (len(series) - index), colour, one.name)
    return _written(root)


def stacked_bars(title: str, x_label: str, bars: Sequence[Bar]) -> str:
    """A bar for each, from left to right its parts in the order in which their names come up, as an SVG document."""
    names = list(dict.fromkeys(name for bar in bars for name in bar.parts))
    rows = _legend_rows(names)
    top = _TOP + 22 * (rows[-1][1] + 1 if rows else 0)
    bottom = top + _BAR_STEP * len(bars)
    most = max((sum(bar.parts.values()) for bar in bars), default=0.0) or 1.0
    scale = (_WIDTH - 2 * _RIGHT) / most
    root = _document(bottom + _BOTTOM, title)
    for name, (x, row) in zip(names, rows, strict=True):
        _key(root, x, _TOP + 22 * row, _colour(names, name), name)
    for value in _linear_ticks(most):
        x = _RIGHT + value * scale
        _line(root, x, top, x, bottom, _GRID)
        _text(root, x, bottom + 18, f"{value:g}", "middle")
    _text(root, _WIDTH / 2, bottom + 42, x_label, "middle")
    for index, bar in enumerate(bars):
        y, x = top + _BAR_STEP * index + 26, float(_RIGHT)
        _text(root, _RIGHT, y - 7, bar.label, "start")
        for name, size in bar.parts.items():
            width = max(0.0, size) * scale
            box = {"x": f"{x:.1f}", "y": str(y), "width": f"{width:.1f}", "height": str(_BAR)}
            part = SubElement(root, "rect", box | {"fill": _colour(names, name)})
            SubElement(part, "title").text = f"{name}: {size:.3g}"
            x += width
    return _written(root)


class _Axis:
    """A logarithmic axis from pixel ``first`` to pixel ``last``."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._high = math.log10(low), math.log10(max(high, low * 1.01))
        self._first, self._last = first, last

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> list[float]:
        """1, 2, 5, 10, 20, … as far as the axis reaches; only 1, 10, … where that would be too many."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        steps = (1, 2, 5) if self._high - self._low <= 3 else (1,)
        found = [step * 10.0**power for power in decades for step in steps]
        return [value for value in found if self._low - 1e-9 <= math.log10(value) <= self._high + 1e-9]


def _linear_ticks(most: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10(most))
    step = next(step * power for step in (0.1, 0.2, 0.5, 1.0) if most / (step * power) <= 10)
    return [index * step for index in range(int(most / step + 1e-9) + 1)]


def _legend_rows(names: Sequence[str]) -> list[tuple[float, int]]:
    """For each name the x of its key and in which row of keys it stands."""
    rows: list[tuple[float, int]] = []
    x, row = float(_RIGHT), 0
    for name in names:
        width = 30 + _CHARACTER * len(name)
        if rows and x + width > _WIDTH - _RIGHT:
            x, row = float(_RIGHT), row + 1
        rows.append((x, row))
        x += width
    return rows


def _colour(names: Sequence[str], name: str) -> str:
    return _COLOURS[names.index(name) % len(_COLOURS)]


def _document(height: float, title: str) -> Element:
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height:g}",
            "width": str(_WIDTH),
            "height": f"{height:g}",
            "font-family": "sans-serif",
            "font-size": "12",
        },
    )
    SubElement(root, "title").text = title
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white", "class": "paper"})
    _text(root, _WIDTH / 2, 24, title, "middle").set("font-size", "15")
    return root


def _key(root: Element, x: float, y: float, colour: str, name: str) -> None:
    box = {"x": f"{x:.1f}", "y": f"{y - 9:.1f}", "width": "14", "height": "10", "fill": colour, "class": "key"}
    SubElement(root, "rect", box)
    _text(root, x + 20, y, name, "start")


def _line(root: Element, x1: float, y1: float, x2: float, y2: float, colour: str) -> None:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    SubElement(root, "line", ends | {"stroke": colour})


def _text(root: Element, x: float, y: float, text: str, anchor: str) -> Element:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": _INK}
    element = SubElement(root, "text", place)
    element.text = text
    return element


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _written(root: Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
