"""What docs/starlark.md shows: code that compiles, and a table of what is refused and what is not."""

import re
from pathlib import Path

import pytest

from chidori_actors.errors import SourceError
from chidori_actors.languages.starlark.builtins import BUILTINS, HOST
from chidori_actors.languages.starlark.compile import compile_module

from .starlark_vm import begin

_PAGE = (Path(__file__).parents[3] / "docs" / "starlark.md").read_text(encoding="utf-8")
_BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL) if "def " in block]
_ROWS = re.findall(r"^\| (`.*) \| (.*) \|$", _PAGE, re.MULTILINE)
_HOST_API = next(
    block for block in re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL) if block.startswith("config(*")
)
_SIGNATURES = re.findall(r"^(\w+)\(([^()]*)\)", _HOST_API, re.MULTILINE)


def _codes(cell: str) -> list[str]:
    joined = cell.replace("\\|", "|").replace("`<br>`", "\n  ")
    return re.findall(r"`([^`]+)`", joined)


def _in_function(code: str) -> str:
    return f"def f(x, a, b, f):\n  {code}\n"


@pytest.mark.parametrize("block", _BLOCKS)
def test_the_examples_are_starlark(block: str) -> None:
    compile_module("example.star", block)


@pytest.mark.parametrize("code", [code for left, _ in _ROWS for code in _codes(left)])
def test_what_the_table_calls_python_is_refused(code: str) -> None:
    text = f"{code}\ndef f(x): return x\n" if code.startswith("@") else _in_function(code)
    with pytest.raises(SourceError):
        compile_module("left.star", text)


@pytest.mark.parametrize("code", [code for _, right in _ROWS for code in _codes(right) if not code.startswith("load")])
def test_what_the_table_calls_starlark_is_accepted(code: str) -> None:
    if code not in ("break", "try_call"):
        compile_module("right.star", _in_function(code.replace('r["', 'x["')))


def test_the_page_names_every_function() -> None:
    listed = re.search(r"These functions are there: `([^`]*)`", _PAGE)
    assert listed is not None
    assert listed[1].split() == sorted(BUILTINS)
    assert {name for name, _ in _SIGNATURES} == set(HOST)


@pytest.mark.parametrize(("name", "parameters"), _SIGNATURES)
def test_the_signatures_are_those_of_the_runtime(name: str, parameters: str) -> None:
    known = {one.split(" = ")[0] for one in parameters.split(", ")} - {"*"}
    if any(one.startswith("**") for one in known):
        return
    positional = parameters.partition("*")[0].split(", ")
    first = "len, " * sum(1 for one in positional if one and " = " not in one)
    call = f"{name}({first}no_such_name = 1)"
    threw = begin(f"{call}\ndef agent(): pass" if name == "config" else f"def agent(): return {call}").threw
    told = threw.message.partition("; it takes ")[2].split(", ")
    assert set(told) == known
