"""Python that nobody trusts, by CPython: what it gives, how it fails, and what stops it."""

from typing import Any

import pytest

from chidori_actors.sandbox.pool import WorkerPool
from tests.sandbox.executions import SHORT_MS, fault, outcome, value

from . import needs_cpython

pytestmark = [*needs_cpython, pytest.mark.asyncio(loop_scope="module")]

MEMORY_MB = 512

VALUES: dict[str, Any] = {
    "1 + 1;": 2,
    "1 + 1  # two": 2,
    "result = 5\n7": 5,
    "result = None\n7": None,
    "x = 5\nx": 5,
    "x = 5": None,
    "": None,
    "True": True,
    "-1.5": -1.5,
    "'text only'": "text only",
    "2 ** 64 + 1": 2**64 + 1,
    "10 ** 4000": 10**4000,
    "'a\\x00é\U0001f600'": "a\0é\U0001f600",
    "'\\ud800'": "\ufffd",
    "(1, [2, (3,)])": [1, [2, [3]]],
    "{1: 'a', None: 'b', 1.5: 'd'}": {"1": "a", "null": "b", "1.5": "d"},
    "{'__proto__': 1, 'then': 3}": {"__proto__": 1, "then": 3},
    "import sys\nsys.version_info[:2] > (3, 11)": True,
    "def f():\n  try:\n    return f()\n  except RecursionError:\n    return 'caught'\nf()": "caught",
    "import datetime as d\n[d.date(2024, 1, 2), d.datetime(2024, 1, 2, 3, tzinfo=d.UTC), d.time(1, 2)]": [
        "2024-01-02",
        "2024-01-02T03:00:00+00:00",
        "01:02:00",
    ],
    # asyncio, whose sleeps take no time
    "async def f():\n  return 3\nawait f()": 3,
    "import asyncio\nasync def f(n):\n  await asyncio.sleep(n)\n  return n\nawait asyncio.gather(f(1000), f(2))": [
        1000,
        2,
    ],
    "import asyncio\nasync def f():\n  await asyncio.sleep(1000)\n  return 3\nasyncio.run(f())": 3,
    "import time\ntime.sleep(1000)\n4": 4,
    # what a program does to its own modules and streams
    "import sys\nsys.stdout.close()\nsys.stdout = sys.stderr = None\n5": 5,
    "import pickle\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n  x: 'int'\n"
    "pickle.loads(pickle.dumps(A(6))).x": 6,
    "del __builtins__\nlen([1])": 1,
}


@pytest.mark.parametrize("source", VALUES, ids=lambda source: source[:60])
async def test_the_variable_result_or_the_last_expression_is_the_value(source: str, cpython: WorkerPool) -> None:
    got = await value(cpython, "cpython", source, memory_mb=MEMORY_MB)
    assert (got, type(got)) == (VALUES[source], type(VALUES[source]))


@pytest.mark.parametrize("given", [None, True, 2**70, -1.5, "é\0\U0001f600", [], [1, {"a": [None, {"b": "c"}]}]])
async def test_the_input_comes_as_it_is(given: Any, cpython: WorkerPool) -> None:
    assert await value(cpython, "cpython", "input", given, memory_mb=MEMORY_MB) == given


FAILURES: dict[str, tuple[str, dict[str, Any]]] = {
    "raise ValueError('boo')": ("ValueError: boo (line 1)", {"thrown": "ValueError", "line": 1, "column": 1}),
    "\n\ndef f():\n    1/0\nf()": ("ZeroDivisionError: division by zero (line 4)", {"line": 4, "column": 5}),
    "é = 'éé'; 1/0": ("ZeroDivisionError", {"line": 1, "column": 11}),
    "1\r2\r1/0": ("ZeroDivisionError", {"line": 3, "column": 1}),
    "x = 1\nx ==": ("SyntaxError: invalid syntax (line 2)", {"thrown": "SyntaxError", "line": 2, "column": 5}),
    "return 1": ("SyntaxError: 'return' outside function (line 1)", {"line": 1, "column": 1}),
    "async def f():\n  1/0\nawait f()": ("ZeroDivisionError", {"line": 2, "column": 3}),
    "raise ExceptionGroup('both', [ValueError(1), KeyError(2)])": (
        "ExceptionGroup: both (2 sub-exceptions) (line 1)",
        {"thrown": "ExceptionGroup"},
    ),
    "raise KeyboardInterrupt": ("KeyboardInterrupt (line 1)", {"thrown": "KeyboardInterrupt"}),
    "raise MemoryError('mine')": ("MemoryError: mine (line 1)", {"thrown": "MemoryError", "bound": None}),
    "class E(Exception):\n  def __str__(self): raise self\nraise E": ("E: (its text cannot be had)", {"thrown": "E"}),
    "import sys\nsys.exit(3)": ("SystemExit: it ended its interpreter", {"thrown": "SystemExit"}),
    "import os\nos._exit(3)": ("the interpreter stopped without an answer (exit code 3)", {"thrown": None}),
    "input('name?')": ("TypeError: 'NoneType' object is not callable", {}),
    "import asyncio\nawait asyncio.Event().wait()": (
        "RuntimeError: the source waits for something that cannot happen",
        {},
    ),
    "import threading\nthreading.Thread(target=print).start()": ("RuntimeError: can't start new thread (line 2)", {}),
    "import sys\nsys.settrace(lambda *a: 1/0)\ndef f(): pass\nf()": ("ZeroDivisionError", {"line": 2}),
    "import json, os, re\njson.dumps = os.write = re.sub = None\n1": ("the interpreter stopped without an answer", {}),
    "import builtins\ndel builtins.isinstance, builtins.str\n1": ("the interpreter stopped without an answer", {}),
    "10 ** 5000": ("the result has an integer of more than 4,300 digits, which cannot be carried", {}),
    "[0, {'a': float('nan')}]": ("the result[1]['a'] is nan, which JSON cannot carry", {}),
    "{'a': {1, 2}}": ("the result['a'] is of type set, which JSON cannot carry", {}),
    "[lambda: 0]": ("the result[0] is of type function, which JSON cannot carry", {}),
    "{(1, 2): 3}": ("the result has a key of type tuple; JSON takes texts", {}),
}


@pytest.mark.parametrize("source", FAILURES, ids=lambda source: source[:60])
async def test_a_failure_has_its_class_and_place(source: str, cpython: WorkerPool) -> None:
    failed = await fault(cpython, "cpython", source, memory_mb=MEMORY_MB)
    message, known = FAILURES[source]
    assert str(failed).startswith(message)
    assert {name: getattr(failed, name) for name in known} == known


async def test_what_it_prints_is_kept_whether_it_fails_or_not(cpython: WorkerPool) -> None:
    prints = "import sys\nprint('a')\nprint('b', file=sys.stderr)\nsys.stdout.buffer.write(b'\\xff')\n"
    assert (await outcome(cpython, "cpython", prints, memory_mb=MEMORY_MB)).printed == "a\nb\n\ufffd"
    assert (await fault(cpython, "cpython", prints + "1/0", memory_mb=MEMORY_MB)).printed == "a\nb\n\ufffd"


FORGED = {
    b'\n{"value": [1], "printed": ""}': "",
    b"\n5": "without an answer (exit code 0)",
    b'\n{"value": 1}': "without an answer",
    b'\n{"value": NaN, "printed": ""}': "without an answer",
    b'\n{"value": 1, "printed": 1}': "without an answer",
    b'\n{"message": 1, "printed": ""}': "without an answer",
    b'\n{"message": "m", "printed": "", "thrown": [1]}': "without an answer",
    b'\n{"message": "mine", "printed": "", "line": "x", "column": []}': "mine",
    b'\n{"bound": [1]}': "too large",
    b'\n"\xff"': "without an answer",
    b"\n" + b"[" * 5000: "without an answer",
}


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: ascii(forged[:60]))
async def test_an_answer_that_the_source_writes_itself_can_be_its_own_result_at_most(
    forged: bytes, cpython: WorkerPool
) -> None:
    source = f"import os\nos.write(1, {forged!r})\nos._exit(0)"
    if FORGED[forged]:
        assert FORGED[forged] in str(await fault(cpython, "cpython", source, memory_mb=MEMORY_MB))
    else:
        assert await value(cpython, "cpython", source, memory_mb=MEMORY_MB) == [1]
    assert await value(cpython, "cpython", "1 + 1", memory_mb=MEMORY_MB) == 2


BOUNDS = {
    "while True: pass": "timeoutMs",
    "while True:\n  try: 1 / 0\n  except BaseException: pass": "timeoutMs",
    "10 ** 10 ** 8": "timeoutMs",
    "import re\nre.match('(a+)+$', 'a' * 40 + 'b')": "timeoutMs",
    "import select\nselect.select([], [], [], 600)": "timeoutMs",
    "all = []\nwhile True: all.append('a' * 10 ** 6)": "memoryMb",
    "import numpy\nnumpy.ones(2 * 10 ** 8)": "memoryMb",
    "while True: print('a' * 1000)": "output",
    "'a' * 2 * 10 ** 6": "output",
    "'a' * 2 * 10 ** 7": "output",
    "raise ValueError('a' * 2 * 10 ** 6)": "output",
    "def f(): return f()\nf()": "stack",
    "import sys\nsys.setrecursionlimit(10 ** 9)\nclass A:\n  def __getattr__(a, name): return a.x\nA().x": "stack",
    "1" + " + 1" * 50_000: "stack",
}
OPTION = {"timeoutMs": "(timeoutMs)", "memoryMb": "(memoryMb)", "output": "at most 1 MB", "stack": "nested too deep"}


@pytest.mark.parametrize("source", BOUNDS, ids=lambda source: source[:60])
async def test_an_error_names_the_bound_and_the_next_execution_works(source: str, cpython: WorkerPool) -> None:
    bound = BOUNDS[source]
    timeout_ms = SHORT_MS if bound == "timeoutMs" else 60_000
    failed = await fault(cpython, "cpython", source, timeout_ms=timeout_ms, memory_mb=MEMORY_MB)
    assert (failed.bound, OPTION[bound] in str(failed)) == (bound, True)
    assert await value(cpython, "cpython", "1 + 1", memory_mb=MEMORY_MB) == 2


async def test_less_memory_than_the_interpreter_needs_is_named_as_the_bound(cpython: WorkerPool) -> None:
    assert (await fault(cpython, "cpython", "1", memory_mb=1)).bound == "memoryMb"
