"""Faults of the source are told with file, line, column and what to write instead."""

import json

import pytest

from chidori_actors.errors import SourceError
from chidori_actors.languages.starlark.compile import compile_module

PYTHON = {
    "def f():\n  while True: pass": ("2:3", "`while` is not part of Starlark", "for _ in range(1000)"),
    "import json": ("1:1", "`import` is not part of Starlark", "no import"),
    "from x import y": ("1:1", "`from` is not part of Starlark", "no import"),
    "class A: pass": ("1:1", "`class` is not part of Starlark", "dicts and functions"),
    "def f(x):\n  if (y := x): return y": ("2:9", "`:=` is not part of Starlark", "statement of its own"),
    "def f(x):\n  match x:\n    case 1: return 2": ("2:3", "`match` is not part of Starlark", "if … elif … else"),
    "def f():\n  try:\n    g()\n  except: pass": ("2:3", "`try` is not part of Starlark", "try_call"),
    'def f(): raise "x"': ("1:10", "`raise` is not part of Starlark", "fail("),
    "async def f(): pass": ("1:1", "`async` is not part of Starlark", "without it"),
    "def f(): return await g()": ("1:17", "`await` is not part of Starlark", "without it"),
    "def f(): yield 1": ("1:10", "`yield` is not part of Starlark", "build a list"),
    "x = 1 is 1": ("1:7", "`is` is not part of Starlark", "=="),
    "x = {1, 2}": ("1:5", "there are no sets", "dict"),
    "x = (y for y in [1])": ("1:5", "there are no generators", "write a list"),
    "x = 2 ** 3": ("1:5", "`**` is not part of Starlark", "multiply"),
    "x = 1 < 2 < 3": ("1:5", "comparisons cannot be chained", "a < b and b < c"),
    "x = [*[1]]": ("1:6", "`*` can stand in a call only", "a + b"),
    "x = {**{}}": ("1:8", "`**` cannot stand in a dict", "a | b"),
    "@f\ndef g(): pass": ("1:1", "`@` is not part of Starlark", "decorators"),
    'x = "a" "b"': ("1:9", "strings side by side are not joined", "write +"),
    "x = 1_000": ("1:5", "`1_000` has an underscore", "1000"),
    'x = b"a"': ("1:5", "strings with the prefix `b` are not part of Starlark", "leave the prefix out"),
    "a = b = 1": ("1:5", "one `=` in a statement only", "a statement for each"),
    "for x in [1]: pass": ("1:1", "`for` outside of a function", "put it in a def"),
    "if 1: pass": ("1:1", "`if` outside of a function", "put it in a def"),
    "def f(d): del d[1]": ("1:11", "`del` is not part of Starlark", "d.pop"),
    'def f(x): return f"{x.y}"': ("1:18", "only names can stand in the braces", "assign it to a name"),
    "def f():\n  for x in []: pass\n  else: pass": ("3:3", "`else` of a loop is not part of Starlark", "flag"),
    "def f():\n  for x in []:\n    y = '''\nelse:'''\n  # else\n  else:\n    pass": ("6:3", "`else` of a loop", "flag"),
    "def agent(): config(model = 'm')": ("1:14", "config() is for the top of the file", "move it before the functions"),
    "x = lambda: config(model = 'm')": ("1:13", "config() is for the top of the file", "move it before the functions"),
}


@pytest.mark.parametrize(("text", "told"), PYTHON.items())
def test_python_that_is_not_starlark_is_refused_with_what_to_write(text: str, told: tuple[str, str, str]) -> None:
    place, reason, hint = told
    with pytest.raises(SourceError) as raised:
        compile_module("agents/a.star", text)
    assert raised.value.place == f"agents/a.star:{place}"
    assert raised.value.reason.startswith(reason)
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("def f():\n  return lenn([])", "2:10", "Variable `lenn` not found, did you mean `len`?"),
        ("def f(é): pass", "1:7", "the name `é` has letters other than"),
        ('x = "é" + y', "1:11", "Variable `y` not found"),
        ("def f(a, a): pass", "1:10", "the parameter `a` is there twice"),
        ("def f():\n  x = [1,\n  return x", "2:7", "'[' was never closed"),
        ("def f()\n  pass", "1:8", "expected ':'"),
        ("x = 1\x00", "1:1", "source code string cannot contain null bytes"),
        ("x = " + "(" * 400 + ")" * 400, "1:205", "too many nested parentheses"),
        ("x = " + "-" * 5000 + "1", "1:1", "the code is nested too deep"),
        ("x = sum([1])", "1:5", "Variable `sum` not found"),
        ("x = f(a = 1, a = 2)", "1:14", "the argument `a` is there twice"),
    ],
)
def test_faults_name_their_place(text: str, place: str, reason: str) -> None:
    with pytest.raises(SourceError) as raised:
        compile_module("a.star", text)
    assert (raised.value.place, raised.value.reason[: len(reason)]) == (f"a.star:{place}", reason)


def test_what_cannot_wait_is_compiled_to_plain_functions() -> None:
    text = "def f(x): return sorted([g(y) for y in x], key = lambda z: -z)\ndef g(y): return y + 1\n"
    assert "async" not in compile_module("a.star", text).code
    waiting = compile_module("a.star", text + "def h(x): return [prompt(y) for y in g(x)]").code
    assert waiting.count("async") == 2  # the function and its comprehension


def test_a_tool_says_what_it_takes() -> None:
    text = (
        "def search(query, limit = 5, exact = False, tags = [], ratio = 0.5, name: str = None):\n"
        '  """Finds things.\n\n  More."""\n  return query\n'
    )
    code = compile_module("tools/search.star", text, tool="search").code
    assert json.loads(_definition(code)) == {
        "name": "search",
        "description": "Finds things.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {},
                "limit": {"type": "integer", "default": 5},
                "exact": {"type": "boolean", "default": False},
                "tags": {"type": "array", "default": []},
                "ratio": {"type": "number", "default": 0.5},
                "name": {"type": ["string", "null"], "default": None},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
    }


_CONSTANTS = "BASE = 60\nHOUR = BASE * BASE\nTWICE = 1\nTWICE = 2\nMANY = []\nNO = None\n"


@pytest.mark.parametrize(
    ("parameter", "described"),
    [
        ("p = 9007199254740993", '{"type": "integer", "default": 9007199254740993}'),
        ("p = 1.0", '{"type": "number", "default": 1.0}'),
        ("p = -5", '{"type": "integer", "default": -5}'),
        ("p = -0.5", '{"type": "number", "default": -0.5}'),
        ("p = 1 << 60", '{"type": "integer", "default": 1152921504606846976}'),
        ("p = -7 // 2 + 60 * 60 - 1", '{"type": "integer", "default": 3595}'),
        ("p = HOUR", '{"type": "integer", "default": 3600}'),
        ("p = [HOUR, (1, None)]", '{"type": "array", "default": [3600, [1, null]]}'),
        ('p = {"a": -1}', '{"type": "object", "default": {"a": -1}}'),
        ("p = NO", '{"default": null}'),
        ("p: int = NO", '{"type": ["integer", "null"], "default": null}'),
        ("p: dict = {}", '{"type": "object", "default": {}}'),
        # What is no constant, or no JSON, or not the same at every time, says nothing.
        *((f"p = {code}", "{}") for code in ("TWICE", "MANY", "len([])", "1 // 0", "1 << 100000", "1 << -1")),
        *((f"p = {code}", "{}") for code in ("True + 1", "1 if NO else 2", "{1: 2}", "1e999", '"a" * 3', "~1")),
    ],
)
def test_a_default_that_is_a_constant_is_told_exactly(parameter: str, described: str) -> None:
    text = f'{_CONSTANTS}def t({parameter}):\n  """Does."""\n'
    definition = _definition(compile_module("tools/t.star", text, tool="t").code)
    assert f'"properties": {{"p": {described}}}' in definition


def _definition(code: str) -> str:
    (line,) = [line for line in code.splitlines() if line.startswith("export const tool = ")]
    text = json.loads(line.removeprefix("export const tool = ").removesuffix(";"))
    assert isinstance(text, str)
    return text
