"""Charts are XML that a browser draws, with everything in them."""

from xml.etree import ElementTree

from bench.svg_plot import Bar, Series, line_chart, stacked_bars

_SVG = "{http://www.w3.org/2000/svg}"


def _texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{_SVG}text")]


def test_lines_go_through_their_points_inside_of_the_chart() -> None:
    chart = line_chart("A & B <c>", "nodes", "per second", [Series("one", [(1, 10), (100, 900)], [(10, 50)])])
    root = ElementTree.fromstring(chart)
    (line,) = root.iter(f"{_SVG}polyline")
    points = [tuple(map(float, pair.split(","))) for pair in (line.get("points") or "").split()]
    assert len(points) == 2
    assert points[0][0] < points[1][0]
    assert points[0][1] > points[1][1]
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    assert all(0 < x < width and 0 < y < height for x, y in points)
    assert len(list(root.iter(f"{_SVG}circle"))) == 1
    assert {"A & B <c>", "nodes", "per second", "one", "1", "10", "100"} <= set(_texts(root))


def test_one_point_is_a_chart_too() -> None:
    ElementTree.fromstring(line_chart("t", "x", "y", [Series("one", [(5, 5)])]))


def test_bars_have_a_part_for_each_size_one_after_the_other() -> None:
    root = ElementTree.fromstring(
        stacked_bars("t", "percent", [Bar("first", {"a": 60, "b": 40}), Bar("second", {"b": 0})])
    )
    parts = [box for box in root.iter(f"{_SVG}rect") if box.get("class") is None]
    assert [box.findtext(f"{_SVG}title") for box in parts] == ["a: 60", "b: 40", "b: 0"]
    first, second, none = ((float(box.get("x") or 0), float(box.get("width") or 0)) for box in parts)
    assert abs(first[0] + first[1] - second[0]) < 0.2
    assert abs(first[1] / second[1] - 1.5) < 0.01
    assert none[1] == 0
    assert parts[1].get("fill") == parts[2].get("fill") != parts[0].get("fill")
    assert {"first", "second", "a", "b", "percent"} <= set(_texts(root))


def test_bars_without_any_size_are_a_chart_too() -> None:
    ElementTree.fromstring(stacked_bars("t", "s", []))
