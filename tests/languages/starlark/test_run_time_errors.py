"""Errors while an agent runs: their texts are Starlark's, their places those of the file, and nothing ends the VM."""

import re

import pytest

from .starlark_vm import begin

_DIVIDED = "float division by zero: 1 / 0"


@pytest.mark.parametrize(
    ("program", "message", "stack"),
    [
        (
            "def a(x): return [b(y) for y in x]\ndef b(y):\n  return (lambda z: z / 0)(y)\ndef agent(): return a([1])",
            _DIVIDED,
            ["lambda (t.star:3:21)", "b (t.star:3:10)", "a (t.star:1:19)", "agent (t.star:4:21)"],
        ),
        (
            "def agent():\n  return sorted([1, 2],\n    key = lambda x: x / 0)",
            _DIVIDED,
            ["lambda (t.star:3:21)", "agent (t.star:2:10)"],
        ),
        (
            "def agent():\n  return retry(lambda: 1 / 0, max_attempts = 1)",
            _DIVIDED,
            ["lambda (t.star:2:24)", "agent (t.star:2:10)"],
        ),
        ("x = [\n  1 / 0,\n]\ndef agent(): pass", _DIVIDED, ["<module> (t.star:2:3)"]),
        ("def agent(): return {'a': 1, [2]: 3}", "Value of type `list` is not hashable", ["agent (t.star:1:30)"]),
        ("def f(x): return x\ndef agent(): return f()", "Missing parameter `x` for call to `t.star.f`", None),
        ("def agent():\n  l = [1]\n  for x in l: l.append(x)", "This operation mutates an iterable", None),
    ],
)
def test_errors_have_the_stack_of_starlark(program: str, message: str, stack: list[str] | None) -> None:
    threw = begin(program).threw
    assert (threw.name, threw.message[: len(message)]) == ("StarlarkError", message)
    if stack is not None:
        assert threw.stack.split("\n") == [f"    at {frame}" for frame in stack]


def test_a_failure_in_a_branch_names_the_line_of_its_function() -> None:
    vm = begin("def work(n):\n  return [][n]\ndef agent(): return parallel([lambda: work(0)])")
    threw = vm.fork(0, 1).threw
    assert threw.message == "Index `0` is out of bound"
    assert threw.stack.split("\n")[:2] == ["    at work (t.star:2:10)", "    at lambda (t.star:3:39)"]


def test_a_failure_in_a_loaded_file_names_that_file() -> None:
    vm = begin(
        'load("./h.star", "half")\ndef agent(): return half("a")', modules={"h.star": "def half(x):\n  return x / 2\n"}
    )
    assert vm.threw.stack == "    at half (h.star:2:10)\n    at agent (t.star:2:21)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("prompt(5)", "Type of parameter `text` of prompt() doesn't match, expected `str`, actual `int (repr: 5)`"),
        ("prompt('x', tools = 'find')", "Type of parameter `tools` of prompt() doesn't match, expected `list[str]`"),
        ("prompt()", "Missing parameter `text` for call to `prompt`"),
        ("template()", "Missing positional-only parameter `path_or_text` for call to `template`"),
        ("tool('a', value = len)", "tool(): value is of type `function`, which JSON cannot carry"),
        ("tool('a', value = [{1: 2}])", "tool(): value[0] has the key 1 of type `int`; the keys of JSON are strings"),
        ("call_agent('a', n = float('nan'))", "call_agent(): n is the float nan, which JSON cannot carry"),
        ("template('a', x = [len])", "template(): x[0] is of type `function`, which JSON cannot carry"),
        ("http('POST', 'https://x', json = {1: 2})", "http(): json has the key 1 of type `int`"),
        ("http('POST', 'https://x', body = [len])", "http(): body[0] is of type `function`"),
        ("http()", 'http(): the URL is missing; write http("GET", "https://…")'),
        ("http(url = 5)", "Type of parameter `url` of http() doesn't match"),
        ("env(5)", "Type of parameter `name` of env() doesn't match"),
        ("env('A', 'B')", "Found 1 extra positional argument(s) for call to env; write: env(name, reveal = …)"),
        (
            "tool('t', {'n': 1})",
            "Found 1 extra positional argument(s) for call to tool; write: tool(name, **{…})",
        ),
        ("tool('t', 1)", "Found 1 extra positional argument(s) for call to tool; write: tool(name, NAME = …)"),
        (
            "call_agent('c.star', {})",
            "Found 1 extra positional argument(s) for call to call_agent; write: call_agent(path, **{…})",
        ),
        (
            "template('x', {})",
            "Found 1 extra positional argument(s) for call to template; write: template(path_or_text, **{…})",
        ),
        ("log('a', 'b')", "Found 1 extra positional argument(s) for call to log; write: log(message, NAME = …)"),
        ("prompt('a', 'm')", "Found 1 extra positional argument(s) for call to prompt; write: prompt(text, model = …)"),
        ("prompt('a', {})", "Found 1 extra positional argument(s) for call to prompt; write: prompt(text, model = …)"),
        (
            "http('GET', 'u', {})",
            "Found 1 extra positional argument(s) for call to http; write: http(method, url, headers = …)",
        ),
        ("checkpoint('a', 1, 2)", "Found 1 extra positional argument(s) for call to checkpoint; it takes label, data"),
        (
            "http('GET', 'u', timout = 1)",
            "Found `timout` extra named parameter(s) for call to http; it takes url, method, headers,",
        ),
        ("input('x', choices = 'a')", "Type of parameter `choices` of input() doesn't match, expected `list[str]`"),
        ("memory('set', 5, 5)", "Type of parameter `key` of memory() doesn't match"),
        ("memory('put', 'a', 1)", 'memory(): unknown action "put" (known: set, get, delete, list, clear)'),
        ("checkpoint('a', len)", "checkpoint(): data is of type `function`"),
        ("log('a', fields = len)", "log(): fields is of type `function`"),
        ("parallel(len)", "Type of parameter `functions` of parallel() doesn't match, expected `list`"),
        ("parallel([len], concurrency = 0)", "Type of parameter `concurrency` of parallel() doesn't match"),
        ("try_call(1)", "try_call(): the argument is 1 of type `int`, not a function; write lambda: … around it"),
        ("retry(len, backoff = 'x')", 'retry(): backoff must be "constant", "linear" or "exponential", not "x"'),
        ("retry(len, attempts = 2)", "Found `attempts` extra named parameter(s) for call to retry; it takes function,"),
        ("exec_js(1)", "Type of parameter `source` of exec_js() doesn't match, expected `str`"),
        ("exec_js('1', timeout_ms = 0)", "Type of parameter `timeout_ms` of exec_js() doesn't match"),
        ("exec_python('1', memory_mb = 'a')", "Type of parameter `memory_mb` of exec_python() doesn't match"),
        ("exec_wasm('1', 'f', 5)", "Type of parameter `args` of exec_wasm() doesn't match, expected `list`"),
        ("exec_js('1', len)", "exec_js(): the input is of type `function`"),
    ],
)
def test_a_wrong_host_call_names_function_and_parameter(call: str, message: str) -> None:
    threw = begin(f"def agent(): return {call}").threw
    assert (threw.name, threw.message[: len(message)]) == ("StarlarkError", message)
    assert re.match(r"    at agent \(t\.star:1:\d+\)", threw.stack)


def test_settings_are_not_changed_under_another_name_while_the_agent_runs() -> None:
    threw = begin("c = config\ndef agent(): return c(model = 'm')").threw
    assert threw.message == "config() is for the top of the file, outside of functions"


def test_http_can_be_called_with_names_alone() -> None:
    vm = begin('def agent(): return http(url = "https://x", method = "PUT")')
    assert b'"url":"https://x","method":"PUT"' in vm.calls[0].args


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("n = 2\n  for i in range(100): n = n * n", "The int is too large: it has more than 1048575 bits"),
        ("n = 1 << 10000000", "The int is too large: it has more than 1048575 bits"),
        ("s = 'a'\n  for i in range(100): s = s + s", "The string is too long"),
        ("s = 'a' * 1000000000", "The result of `*` would have 1000000000 items, which is too large"),
        ("l = [1] * 1000000000", "The result of `*` would have 1000000000 items, which is too large"),
        ("for x in range(1 << 40): pass", "Error unpacking value for parameter `a1` of type `int`"),
    ],
)
def test_what_has_no_room_fails_in_starlarks_words(body: str, message: str) -> None:
    threw = begin(f"def agent():\n  {body}").threw
    assert (threw.name, threw.message[: len(message)]) == ("StarlarkError", message)


def test_what_has_no_room_can_be_caught() -> None:
    vm = begin("def agent(): return try_call(lambda: 1 << 10000000)['error']")
    assert vm.output == '"The int is too large: it has more than 1048575 bits"'


def test_a_result_that_is_nested_too_deep_is_told_in_a_line() -> None:
    threw = begin("def agent():\n  l = []\n  for i in range(300): l = [l]\n  return l").threw
    assert re.fullmatch(r"the result of agent\(\)[][0]+… is nested more than 200 deep.*", threw.message)
    assert len(threw.message) < 150


def test_an_input_that_does_not_fit_shows_what_the_agent_takes() -> None:
    assert begin("def agent(x, **rest): pass").threw.message == "the input has no `x`, which agent(x, **rest) needs"
