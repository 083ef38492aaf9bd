"""Figures and args as a line of plain text shows them."""

from typing import Any

import pytest

from chidori_actors.call_labels import short_args
from chidori_actors.cli.plain_text import duration_text
from chidori_actors.clipping import clip


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        ("http", {"method": "POST", "url": "http://x/y", "body": {"a": 1}}, "POST http://x/y"),
        ("memory", {"action": "set", "key": "k", "namespace": None, "value": 1}, "set k"),
        ("memory", {"action": "get", "key": "k", "namespace": "default", "prefix": None}, "get k"),
        ("memory", {"action": "list", "key": None, "namespace": "team", "prefix": "us"}, "list us* in team"),
        ("memory", {"action": "clear", "key": None, "namespace": "default", "prefix": ""}, "clear"),
        ("timer", {"ms": 50}, "50 ms"),
        ("timer", {"ms": 0}, "0 ms"),
        ("timer", {"ms": 90_500}, "90.5 s"),
        ("timer", {"ms": None}, '{"ms":null}'),
        ("log", {"message": {"a": [1]}}, '{"a":[1]}'),
        ("parallel", {"count": 1}, "1 branch"),
        ("parallel", {"count": 12, "concurrency": 4}, "12 branches, 4 at once"),
        ("parallel", {"count": 3, "concurrency": 3}, "3 branches"),
        ("parallel", {"count": "3"}, '{"count":"3"}'),
        ("input", {"prompt": "Name?", "type": None, "choices": ["a"], "default": None}, "Name?"),
        ("template", {"template": "Dear {{ name }},\nhow", "vars": {"name": "x"}}, "Dear {{ name }}, how"),
        ("env", {"name": "HOME"}, "HOME"),
        ("checkpoint", {"label": "half way", "data": 1}, "half way"),
        ("tool", {"name": "look", "kwargs": {"at": "sky"}}, 'look {"at":"sky"}'),
        ("call_agent", {"path": "./child.ts", "input": [1]}, "./child.ts [1]"),
        ("exec_js", {"source": "1 +\n  1", "input": None, "timeout_ms": 5}, "1 + 1"),
        ("exec_python", {"source": "print(1)", "input": None, "timeout_ms": 5}, "print(1)"),
        ("exec_wasm", {"source": "AGFzbQ==", "function": "add", "args": [1, 2], "memory_pages": 1}, "add [1,2]"),
        ("of_another_version", {"a": 2**70}, '{"a":1180591620717411303424}'),
        ("prompt", {"other": 1}, '{"other":1}'),
        ("prompt", [1], "[1]"),
        ("prompt", {"model": "m", "text": "x" * 1000}, "x" * 59 + "…"),
        ("prompt", {"model": "m", "text": ""}, '{"model":"m","text":""}'),
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
