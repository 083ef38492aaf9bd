"""Figures and args as a line of plain text shows them."""

from typing import Any

import pytest

from chidori_actors.cli.call_args import short_args
from chidori_actors.cli.plain_text import clip, duration_text


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        ("http", {"method": "POST", "url": "http://x/y", "body": {"a": 1}}, "POST http://x/y"),
        ("memory", {"action": "set", "key": "k", "namespace": None, "value": 1}, "set k"),
        ("timer", {"ms": 50}, "50"),
        ("log", {"message": {"a": [1]}}, '{"a":[1]}'),
        ("parallel", {"count": 2}, "2"),
        ("prompt", {"other": 1}, '{"other":1}'),
        ("prompt", [1], "[1]"),
        ("prompt", {"model": "m", "text": "x" * 1000}, "m " + "x" * 57 + "…"),
    ],
)
def test_a_call_is_known_by_a_few_of_its_args(function: str, args: Any, text: str) -> None:
    assert short_args(function, args) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0.000s"),
        (0.4, "0.000s"),
        (59_999, "59.999s"),
        (59_999.6, "1m00s"),
        (3_599_999, "59m59s"),
        (3_600_000, "1h00m"),
        (86_400_000 * 3 + 3_600_000, "3d01h"),
    ],
)
def test_durations_are_written_to_their_size(milliseconds: float, text: str) -> None:
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("text", "clipped"),
    [("a \n b", "a b"), ("x" * 60, "x" * 60), ("x" * 61, "x" * 59 + "…"), (" " * 1000 + "x", "…")],
)
def test_text_is_cut_to_one_line(text: str, clipped: str) -> None:
    assert clip(text) == clipped
