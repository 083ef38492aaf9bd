"""Python that nobody trusts, by Monty: what it gives, how it fails, and what stops it."""

from typing import Any

import pytest

from chidori_actors.sandbox.guest import Unfit, json_value
from chidori_actors.sandbox.pool import WorkerPool

from .executions import SHORT_MS, fault, outcome, value

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALUES: dict[str, Any] = {
    "1 + 1": 2,
    "1 + 1;": 2,
    "1 + 1  # two": 2,
    "result = 5": 5,
    "result = 5\n7": 5,
    "result = None\n7": None,
    "x = 5\nx": 5,
    "x = 5": None,
    "def f(n):\n  return n if n < 2 else f(n - 1) + f(n - 2)\nf(15)": 610,
    "async def f():\n  return 3\nawait f()": 3,
    "import asyncio\nasync def f():\n  await asyncio.sleep(1000)\n  return 3\nasyncio.run(f())": 3,
    "import json\njson.loads(json.dumps({'a': [1]}))": {"a": [1]},
    "": None,
    " \n": None,
    "# nothing": None,
    "None": None,
    "True": True,
    "-1.5": -1.5,
    "2 ** 64 + 1": 2**64 + 1,
    "-2 ** 200": -(2**200),
    "10 ** 4000": 10**4000,
    "'a\\x00é\U0001f600'": "a\0é\U0001f600",
    "'a\0b'": "a\0b",
    "'\\ud800'": "\ufffd",
    "(1, [2, (3,)])": [1, [2, [3]]],
    "{1: 'a', None: 'b', True: 'c', 1.5: 'd'}": {"true": "c", "null": "b", "1.5": "d"},
    "{'__proto__': 1, 'constructor': 2, 'then': 3}": {"__proto__": 1, "constructor": 2, "then": 3},
    "def f():\n  try:\n    return f()\n  except RecursionError:\n    return 'caught'\nf()": "caught",
}


@pytest.mark.parametrize("source", VALUES)
async def test_the_variable_result_or_the_last_expression_is_the_value(source: str, pool: WorkerPool) -> None:
    got = await value(pool, "python", source)
    assert (got, type(got)) == (VALUES[source], type(VALUES[source]))


@pytest.mark.parametrize("given", [None, True, 0, 2**70, -1.5, "é\0\U0001f600", [], {}, [1, {"a": [None, {"b": "c"}]}]])
async def test_the_input_comes_as_it_is(given: Any, pool: WorkerPool) -> None:
    assert await value(pool, "python", "input", given) == given


FAILURES: dict[str, tuple[str, dict[str, Any]]] = {
    "raise ValueError('boo')": ("ValueError: boo (line 1)", {"thrown": "ValueError", "line": 1, "column": 7}),
    "\n\ndef f():\n    1/0\nf()": ("ZeroDivisionError: division by zero (line 4)", {"line": 4, "column": 5}),
    "nope": ("NameError: name 'nope' is not defined (line 1)", {"thrown": "NameError"}),
    "raise NameError('result')": ("NameError: result (line 1)", {}),
    "raise KeyboardInterrupt": ("KeyboardInterrupt (line 1)", {"thrown": "KeyboardInterrupt"}),
    "raise BaseException('b')": ("BaseException: b (line 1)", {}),
    "raise MemoryError('mine')": ("MemoryError: mine (line 1)", {"thrown": "MemoryError", "bound": None}),
    "x = 1\nx ==": ("SyntaxError: Expected an expression (line 2)", {"thrown": "SyntaxError", "line": 2}),
    "a\0": ("SyntaxError", {"thrown": "SyntaxError", "line": 1}),
    "(" * 5000 + ")" * 5000: ("SyntaxError: Source is too deeply nested", {"line": 1}),
    "1" + " + 1" * 50_000: ("SyntaxError: Source is too deeply nested", {"line": 1}),
    "int('9' * 10 ** 6)": ("ValueError: Exceeds the limit (4300 digits)", {"thrown": "ValueError"}),
    "'{0.__class__}'.format(1)": ("AttributeError", {"line": 1}),
}


@pytest.mark.parametrize("source", FAILURES, ids=lambda source: source[:40])
async def test_a_failure_has_its_class_and_place(source: str, pool: WorkerPool) -> None:
    failed = await fault(pool, "python", source)
    message, known = FAILURES[source]
    assert str(failed).startswith(message)
    assert {name: getattr(failed, name) for name in known} == known


UNFIT = {
    "[0, {'a': float('nan')}]": "the result[1]['a'] is nan, which JSON cannot carry",
    "float('-inf')": "the result is -inf, which JSON cannot carry",
    "{'a': {1, 2}}": "the result['a'] is of type set",
    "[b'a']": "the result[0] is of type bytes",
    "1j": "the result is of type complex",
    "{'a': {(1, 2): 3}}": "the result['a'] has a key of type tuple; JSON takes texts",
    "a = []\nfor i in range(5000): a = [a]\na": "the result is nested more than 150 deep",
    "10 ** 4400": "the result has an integer of more than 4,300 digits",
    "[{10 ** 4400: 1}]": "the result has an integer of more than 4,300 digits",
}


@pytest.mark.parametrize("source", UNFIT)
async def test_what_json_cannot_carry_is_named_by_its_place(source: str, pool: WorkerPool) -> None:
    assert UNFIT[source] in str(await fault(pool, "python", source))


@pytest.mark.parametrize(
    ("given", "carried"),
    [((1, (2,)), [1, [2]]), ({1: {None: 2.5}}, {"1": {"null": 2.5}}), ({True: 1, 1.5: 2}, {"true": 1, "1.5": 2})],
)
async def test_what_is_near_json_is_made_json(given: Any, carried: Any) -> None:
    assert json_value(given) == carried


async def test_a_value_of_a_class_that_only_pretends_to_be_numpy_s_is_refused() -> None:
    class Pretender:
        def tolist(self) -> list[int]:
            return [1]

    with pytest.raises(Unfit, match=r"the result\[0\] is of type Pretender"):
        json_value([Pretender()])


async def test_what_is_printed_is_kept_whether_it_fails_or_not(pool: WorkerPool) -> None:
    source = "import sys\nprint('a', 'b', end='!')\nprint({'a': 'é'}, file=sys.stderr)\n"
    assert (await outcome(pool, "python", source)).printed == "a b!{'a': 'é'}\n"
    assert (await fault(pool, "python", f"{source}1/0")).printed == "a b!{'a': 'é'}\n"
    assert (await fault(pool, "python", f"{source}1j")).printed == "a b!{'a': 'é'}\n"


BEYOND: dict[str, str] = {
    "while True: pass": "timeoutMs",
    "while True:\n  try:\n    while True: pass\n  except BaseException: pass": "timeoutMs",
    "while True:\n  try:\n    while True: pass\n  finally:\n    continue": "timeoutMs",
    "sum(range(10 ** 12))": "timeoutMs",
    "max(range(10 ** 12))": "timeoutMs",
    "while True: print('x' * 10000)": "timeoutMs",
    "10 ** 10 ** 8": "memoryMb",
    "1 << (1 << 40)": "memoryMb",
    "'a' * 10 ** 9": "memoryMb",
    "[0] * 10 ** 9": "memoryMb",
    "'%1000000000d' % 1": "memoryMb",
    "f'{1:1000000000d}'": "memoryMb",
    "[x for x in range(10 ** 12)]": "memoryMb",
    "{i: i for i in range(10 ** 12)}": "memoryMb",
    "sorted(range(10 ** 7), key=lambda x: -x)[0]": "memoryMb",
    "','.join(['x' * 10 ** 6] * 1000)[:1]": "memoryMb",
    "a = []\nwhile True:\n  try:\n    a.append('x' * 10 ** 6)\n  except BaseException: pass": "memoryMb",
    "def f(): return f()\nf()": "stack",
    "'x' * 2 ** 20": "output",
    "print('x' * 2 ** 20)": "output",
    "raise ValueError('x' * 2 ** 20)": "output",
    "print('x' * 600_000)\n'x' * 600_000": "output",
}


@pytest.mark.parametrize("source", BEYOND)
async def test_beyond_a_bound_the_error_names_it_and_the_next_execution_works(source: str, pool: WorkerPool) -> None:
    bound = BEYOND[source]
    texts = {"stack": "nested too deep", "output": "at most 1 MB"}
    failed = await fault(pool, "python", source, timeout_ms=SHORT_MS if bound == "timeoutMs" else 20_000)
    assert (failed.bound, texts.get(bound, f"({bound})") in str(failed)) == (bound, True), failed
    assert await value(pool, "python", "1 + 1") == 2


async def test_a_pattern_that_backtracks_for_ever_does_not(pool: WorkerPool) -> None:
    assert await value(pool, "python", "import re\nre.match('(a+)+$', 'a' * 40 + 'b') is None")


async def test_a_source_of_fifteen_megabytes_is_run(pool: WorkerPool) -> None:
    assert await value(pool, "python", f"x = 1\n# {'x' * (15 << 20)}\nx", memory_mb=512) == 1


async def test_chance_comes_from_the_seed(pool: WorkerPool) -> None:
    draws = "import random\n[random.random(), random.random()]"
    first = await value(pool, "python", draws, seed="a")
    assert first[0] != first[1]
    assert await value(pool, "python", draws, seed="a") == first
    assert await value(pool, "python", draws, seed="b") != first
