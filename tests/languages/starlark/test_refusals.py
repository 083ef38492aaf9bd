"""What engineers who know Python, or another language, write first: refused with the place and with what to write."""

import pytest

from chidori_actors.errors import SourceError
from chidori_actors.languages.starlark.compile import compile_module

_NO_NAME = "Variable `{}` not found"

REFUSED = {
    # Python
    "def f(d):\n  assert d": ("2:3", "`assert` is not part of Starlark", 'fail("…")'),
    "def f():\n  with g() as h: pass": ("2:3", "`with` is not part of Starlark", "call the functions"),
    "def f():\n  global x": ("2:3", "`global` is not part of Starlark", "a dict or a list"),
    "def f():\n  nonlocal x": ("2:3", "`nonlocal` is not part of Starlark", "a dict or a list"),
    'if __name__ == "__main__":\n  agent()': ("1:1", "`__name__` is not part of Starlark", "chidori calls agent(…)"),
    "a, *b = [1, 2]": ("1:4", "`*` cannot stand where something is assigned", "items[1:]"),
    "def f(l):\n  l[1:] = []": ("2:3", "a slice cannot be assigned to", "new list"),
    "x: int": ("1:1", "the value is missing", "name = value"),
    "x = 3j": ("1:5", "`3j`: Starlark has no complex numbers", ""),
    "x = 0777": ("1:5", "leading zeros in decimal integer literals are not permitted; use an 0o prefix", ""),
    'x = u"a"': ("1:5", "strings with the prefix `u` are not part of Starlark", "leave the prefix out"),
    'x = 1\ny = f"{x:>3}"': ("2:5", "an f-string has no format after `:`", '"%d" % x'),
    'x = 1\ny = f"{x=}"': ("2:5", "`=` cannot stand in the braces of an f-string", 'f"x={x}"'),
    'x = 1\ny = f"{x!a}"': ("2:5", "the conversion in an f-string is !r or !s", ""),
    r'x = "\u12"': ("1:11", r"the string has an escape that is none: truncated \uXXXX escape", ""),
    "x = sum([y for y in []])": ("1:5", _NO_NAME.format("sum"), "loop"),
    "x = isinstance(1, int)": ("1:5", _NO_NAME.format("isinstance"), "type(x) =="),
    "x = json.dumps({})": ("1:5", _NO_NAME.format("json"), "tojson"),
    'x = os.environ["A"]': ("1:5", _NO_NAME.format("os"), 'env("NAME")'),
    'x = ValueError("a")': ("1:5", _NO_NAME.format("ValueError"), 'fail("…")'),
    "x = pow(2, 3)": ("1:5", _NO_NAME.format("pow"), "multiply"),
    # other languages
    "x = null": ("1:5", _NO_NAME.format("null"), "write None"),
    "x = true": ("1:5", _NO_NAME.format("true"), "write True"),
    "x = 1 && 2": ("1:8", "invalid syntax", "a and b"),
    "x = 1 || 2": ("1:8", "invalid syntax", "a or b"),
    "x = !1": ("1:5", "invalid syntax", "not a"),
    "x = 1 <> 2": ("1:7", "invalid syntax", "a != b"),
    "x = 1 ? 2 : 3": ("1:7", "invalid syntax", "a if … else b"),
    "x = (y) => 1": ("1:10", "invalid syntax", "lambda"),
    "x = 1\nx++": ("2:4", "invalid syntax", "x += 1"),
    "const x = 1": ("1:7", "invalid syntax", "leave the word out"),
    "function f() {}": ("1:10", "invalid syntax", "def name(…):"),
    "def f(x) { return x }": ("1:10", "expected ':'", "a colon"),
    "def f(x):\n  if x: pass\n  else if 1: pass": ("3:8", "expected ':'", "elif"),
    "// comment": ("1:1", "invalid syntax", "#"),
    # load
    "load()": ("1:1", "load() takes a file and the names", 'load("./file.star", "name")'),
    'load("./a.star")': ("1:1", "load() takes a file and the names", 'load("./file.star", "name")'),
    'load(a = "x", b = "y")': ("1:1", "load() takes a file and the names", 'load("./file.star", "name")'),
    'load("", "x")': ("1:6", "load() takes the file as a string", 'load("./file.star", "name")'),
    'load("./a.star", x)': ("1:18", "load() takes names as strings", 'load("./file.star", "name")'),
    'load("./a.star", a = "_x")': ("1:18", "`_x` belongs to ./a.star alone", ""),
    'load("./a.star", "x", "_x")': ("1:23", "`_x` belongs to ./a.star alone", ""),
    'def f():\n  load("./a.star", "x")': ("2:3", "load() stands at the top of a file", 'load("./file.star", "name")'),
    'x = load("./a.star", "x")': ("1:5", "load() stands at the top of a file", 'load("./file.star", "name")'),
    "x = load": ("1:5", _NO_NAME.format("load"), "a statement"),
    # entries
    "def agent(a, /, b): pass": ("1:11", "the agent's arguments have names, so `a` cannot be given", "`/`"),
    "def agent(*args): pass": ("1:12", "the agent's arguments have names, so `args` cannot be given", "**args"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.items())
def test_what_is_not_starlark_is_refused_with_what_to_write(text: str, told: tuple[str, str, str]) -> None:
    place, reason, hint = told
    with pytest.raises(SourceError) as raised:
        compile_module("a.star", text)
    assert (raised.value.place, raised.value.reason[: len(reason)]) == (f"a.star:{place}", reason)
    assert hint in (raised.value.hint or "")
    assert bool(hint) == bool(raised.value.hint)


def test_what_is_only_not_finished_gets_no_advice_of_other_languages() -> None:
    with pytest.raises(SourceError) as raised:
        compile_module("a.star", "x = {1: 2")
    assert (raised.value.reason, raised.value.hint) == ("'{' was never closed", None)


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, *, b = 2, **rest) -> str:\n  x: int = 3\n  return a\n",
        'def match(type):\n  case = f"{type!r}={type} {{x=}}"\n  return case\n',
        "x = 1\nx += 1; y = [x for x in [1] if x if x]\n",
        "def f(x):\n  # && || => ? {\n  (a, [b, c]), d = x\n  return a if not b else lambda: c or d\n",
        "x = 1 + \\\n  2\n",
        "def agent(a, *, b, **rest): pass\n",
        '"""What the file is for."""\nx = 7 // 2\n',
    ],
)
def test_what_looks_unusual_and_is_starlark_is_accepted(text: str) -> None:
    compile_module("a.star", text)
