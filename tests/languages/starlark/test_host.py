"""Agents in Starlark and the host: calls, results, errors, forks, and ints of any size both ways."""

import json
import re
from typing import Any

import pytest

from chidori_actors.languages.starlark.builtins import BUILTINS, HOST
from tests.support.examples import ROOT

from .starlark_vm import StarlarkVm, begin

_INTEGRATIONS = (ROOT / "agents" / "integrations.star").read_text()


def _args(vm: StarlarkVm, index: int = -1) -> Any:
    return json.loads(vm.calls[index].args)


def _event(path: str, body: str, headers: str = "{}") -> str:
    return f'{{"event": {{"path": "{path}", "headers": {headers}, "body": {body}}}}}'


def test_an_issue_is_triaged_with_its_number_exact() -> None:
    issue = (
        '{"action": "opened", "issue": {"number": 9007199254740993, "title": "T", "body": null, "url": "https://x/1"}}'
    )
    vm = begin(_INTEGRATIONS, _event("/github", issue, '{"x-github-event": "issues"}'))
    assert [vm.calls[0].function, _args(vm)["max_tokens"]] == ["prompt", 20]
    vm.give(1, " Bug ")
    vm.give(2, "token")
    assert _args(vm) == {
        "url": "https://x/1/labels",
        "method": "POST",
        "params": {},
        "headers": {"Authorization": "Bearer token"},
        "body": {"labels": ["bug"]},
    }
    assert vm.calls[2].site == "at triage_issue (t.star:62:5)"
    vm.give(3, {"status": 200})
    assert vm.output == '{"status":200,"body":{"triaged":9007199254740993,"label":" Bug "}}'


def test_tools_are_called_in_forks() -> None:
    vm = begin(_INTEGRATIONS, _event("/alert", '{"severity": "critical", "service": "api"}'))
    assert (vm.calls[0].function, _args(vm)) == ("parallel", {"count": 3, "concurrency": None})
    outputs = []
    for index, name in enumerate(("prometheus_query", "recent_deploys", "recent_alerts")):
        branch = vm.fork(index, 1)
        assert _args(branch)["name"] == name
        branch.give(1, text=f'{{"id": {2**53 + index}, "f": 1.0}}')
        outputs.append(branch.output)
    assert outputs[1] == '{"id":9007199254740993,"f":1.0}'
    vm.give(1, text=f"[{','.join(outputs)}]")
    assert b'"deploys":{"id":9007199254740993,"f":1.0}' in vm.calls[1].args


@pytest.mark.parametrize(
    "value",
    [
        *(
            "9007199254740993",
            "-123456789012345678901234567890",
            "1.0",
            "100000000000000000000.0",
            "0.1",
            "-0.0",
            "1e+21",
        ),
        *(
            '"\\u0000n5"',
            '{"10":1,"9":2,"a":3}',
            '{"\\u0000s":"\\u0000s"}',
            '"1.5"',
            "[]",
            "{}",
            "null",
            "true",
            '"é😀"',
        ),
        *(
            '{"__proto__":1,"constructor":{"x":1.5}}',
            "[1,[2.5,[9007199254740993]]]",
            '"9007199254740993"',
            '"a\\"1.5\\\\"',
            '["10","\\\\",1.5,{"7":"\\\\\\"2.5","12345678901":-1.5}]',
        ),
    ],
)
def test_json_comes_and_goes_exactly(value: str) -> None:
    vm = begin("def agent(x): return x", f'{{"x": {value}}}')
    assert vm.output == value


@pytest.mark.parametrize("text", ["x" * (4 << 20), "version 1.5, " * (1 << 18), '\\"' * (1 << 19)])
def test_a_text_of_megabytes_comes_and_goes_beside_a_float(text: str) -> None:
    vm = begin("def agent():\n  given = log('?')\n  return [len(given[0]), given]")
    value = json.dumps([text, 1.5], separators=(",", ":"))
    vm.give(1, text=value)
    assert vm.output == f"[{len(text)},{value}]"


def test_errors_carry_the_stack_of_starlark_functions_across_waiting() -> None:
    vm = begin(
        "def a(x):\n  log(x)\n  return b(x)\n"
        "def b(x):\n  log(x)\n  return 1 / (len(x) - 1)\n"
        "def agent():\n  return a('x')"
    )
    vm.give(1)
    vm.give(2)
    assert vm.threw.message == "float division by zero: 1 / 0"
    assert vm.threw.stack.split("\n") == [
        "    at b (t.star:6:10)",
        "    at a (t.star:3:10)",
        "    at agent (t.star:8:10)",
    ]


def test_a_failed_call_is_told_of_its_place_and_can_be_caught() -> None:
    vm = begin('def agent():\n  r = try_call(lambda: tool("a"))\n  return [r["error"], tool("b")]')
    vm.refuse(1, name="ToolError", message="boom")
    vm.refuse(2, name="ToolError", message="again")
    assert (vm.threw.name, vm.threw.message, vm.threw.call) == ("ToolError", "again", 2)
    assert vm.threw.stack == "    at agent (t.star:3:23)"


def test_a_loop_that_failed_leaves_its_list_changeable() -> None:
    vm = begin(
        "def agent():\n  l = [1]\n  def f():\n    for x in l: fail('x')\n"
        "  r = try_call(f)\n  l.append(2)\n  return [l, r]"
    )
    assert vm.output == '[[1,2],{"value":null,"error":"fail: x"}]'


@pytest.mark.parametrize("function", ["max", "min", "sorted"])
def test_a_key_that_waits_cannot_change_what_it_is_called_for(function: str) -> None:
    vm = begin(
        "def agent():\n"
        "  items = [3, 1, 2]\n"
        "  def change(x):\n    log('a')\n    items.append(x)\n    return x\n"
        f"  failed = try_call(lambda: {function}(items, key = change))\n"
        f"  found = {function}(items, key = lambda x: log('b') or x)\n"
        "  items.append(4)\n"
        "  return [failed['error'], found, items]"
    )
    for ordinal in range(1, 5):
        vm.give(ordinal)
    error, found, items = json.loads(vm.output)
    assert error == "This operation mutates an iterable for an iterator while iterating."
    assert (found, items) == ({"max": 3, "min": 1, "sorted": [1, 2, 3]}[function], [3, 1, 2, 4])


def test_retry_waits_longer_each_time() -> None:
    vm = begin('def agent(): return retry(lambda: prompt("x"), max_attempts = 3, initial_delay_ms = 10)')
    for ordinal in (1, 3):
        vm.refuse(ordinal, message="busy")
        assert vm.calls[-1].function == "timer"
        vm.give(ordinal + 1)
    vm.give(5, "late")
    assert ([_args(vm, 1), _args(vm, 3)], vm.output) == ([{"ms": 10}, {"ms": 20}], '"late"')


def test_config_is_the_default_of_prompts() -> None:
    vm = begin(
        'config(model = "m", temperature = 0.5)\ndef agent(): return prompt("x", temperature = 0.0, system = None)'
    )
    assert vm.calls[0].args == b'{"text":"x","model":"m","temperature":0.0}'


def test_the_model_uses_tools() -> None:
    vm = begin('def agent(): return prompt("x", tools = ["find"], max_turns = 2)')
    vm.give(1, {"content": "", "tool_calls": [{"id": "1", "name": "find", "input": {"q": "a"}}], "blocks": None})
    assert _args(vm) == {"name": "find", "kwargs": {"q": "a"}}
    vm.give(2, "found")
    vm.give(3, {"content": "done", "tool_calls": []})
    assert vm.output == '"done"'


def test_globals_are_frozen_when_the_module_is_loaded() -> None:
    program = (
        "X = [1]\nX.append(2)\ndef f(y = {}): y[1] = 2\n"
        "def agent(): return [X, try_call(lambda: X.append(3)), try_call(f)]"
    )
    frozen = '{"value":null,"error":"Immutable"}'
    assert begin(program).output == f"[[1,2],{frozen},{frozen}]"


def test_what_a_function_captured_while_loading_is_frozen_too() -> None:
    program = (
        "def make():\n  l = []\n  def f(): l.append(1)\n  return f\n"
        "F = make()\ndef agent(): return try_call(F)['error']"
    )
    assert begin(program).output == '"Immutable"'


def test_files_can_be_loaded() -> None:
    modules = {"h.star": "N = [1]\ndef greet(x):\n  log(x)\n  return N + [x]\n"}
    vm = begin('load("./h.star", "greet", n = "N")\ndef agent(): return [greet("a"), n]', modules=modules)
    vm.give(1)
    assert vm.output == '[[1,"a"],[1]]'


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('http("POST")', 'http(): the URL is missing; write http("POST", "https://…")'),
        (
            'http("https://x", json = {"a": [len]})',
            'http(): json["a"][0] is of type `function`, which JSON cannot carry',
        ),
        ('log("x", a = 1.0 * 1e308 * 10)', "log(): a is the float +inf, which JSON cannot carry"),
        ("parallel([1])", "parallel(): item 0 is 1 of type `int`, not a function; write lambda: … around it"),
        ('memory("get")', 'memory("get"): the key is missing'),
        (
            'input("x", defualt = "m")',
            "Found `defualt` extra named parameter(s) for call to input; it takes prompt, type, choices, default",
        ),
        ("{1: 2}", "the result of agent() has the key 1 of type `int`; the keys of JSON are strings"),
    ],
)
def test_misuse_is_explained(program: str, message: str) -> None:
    threw = begin(f"def agent(): return {program}").threw
    assert threw.message == message
    assert re.fullmatch(r"    at agent \(t\.star:1:\d+\)", threw.stack)


def test_an_input_that_does_not_fit_is_explained() -> None:
    threw = begin("def agent(topic, n = 1): pass", '{"subject": 1}').threw
    assert (threw.message, threw.stack) == (
        "the input has no `topic`, which agent(topic, n) needs",
        "    at agent (t.star:1:1)",
    )
    assert (
        begin("def agent(a): pass", '{"a": 1, "b": 2}').threw.message
        == "the input has `b`, which agent(a) does not take"
    )


@pytest.mark.parametrize(
    "program",
    [
        "def f(n): return 1 + f(n + 1)",
        "def f(n):\n  if n < 0: log('x')\n  return 1 + f(n + 1)",
        "def f(n): return sorted([n], key = lambda x: f(x + 1))",
        "def f(n):\n  if n < 0: log('x')\n  return [y for y in [f(x) for x in [n]]]",
        "def f(n): return (lambda **k: [f(k['n'])])(n = n)",
        "def f(n): return retry(lambda: f(n + 1), max_attempts = 1)",
    ],
)
def test_recursion_without_end_is_an_error_and_not_the_end_of_the_vm(program: str) -> None:
    assert begin(f"{program}\ndef agent(): return f(0)").threw.message == "Starlark call stack overflow"


def test_the_compiler_and_the_runtime_know_the_same_names() -> None:
    vm = begin("def agent(): return 1")
    assert vm.output == "1"
    anywhere = [name for name in (*BUILTINS, *HOST) if name != "config"]
    known = "\n".join(f"  x = {name}" for name in anywhere)
    assert begin(
        f"c = config\ndef agent():\n{known}\n  return [type(x) for x in [c, {', '.join(anywhere)}]]"
    ).output == json.dumps(["function"] * len((*BUILTINS, *HOST)), separators=(",", ":"))


def test_print_says_that_it_is_print() -> None:
    assert begin('def agent(): print("a %s", 1, [1.0])').printed == [("print", "a %s 1 [1.0]")]
