"""JavaScript that nobody trusts: what it gives, how it fails, and what stops it."""

from typing import Any

import pytest

from chidori_actors.sandbox.execution import MOST_OUTPUT_BYTES, SandboxFault
from chidori_actors.sandbox.pool import WorkerPool

from .executions import SHORT_MS, fault, outcome, value

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALUES: dict[str, Any] = {
    "1 + 1": 2,
    "1 + 1;": 2,
    "1 + 1 ;\n ; ": 2,
    "1 // one": 1,
    "/* one */ 1": 1,
    "return 1": 1,
    "return 1; // one": 1,
    "{ a: 1 }": {"a": 1},
    "return { a: 1 };": {"a": 1},
    "const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2);\nreturn f(15);": 610,
    "await 5": 5,
    "await Promise.resolve(7);": 7,
    "await new Promise((done) => queueMicrotask(() => queueMicrotask(done))); return 'later'": "later",
    "async function* all() { yield 1; yield 2; } let sum = 0; for await (const x of all()) sum += x; return sum": 3,
    "": None,
    " \n": None,
    "// nothing": None,
    "/* nothing */": None,
    "return": None,
    "return undefined": None,
    "null": None,
    "true": True,
    "-1.5": -1.5,
    "2 ** 53": 2**53,
    "'a\\u0000é\U0001f600'": "a\0é\U0001f600",
    "'a\0b'": "a\0b",
    "'\\ud800' + 1": "\ufffd1",
    "{ '\\udc00': 1 }": {"\ufffd": 1},
    "[1, , 3]": [1, None, 3],
    "{ a: undefined, b: null }": {"b": None},
    "{ ['__proto__']: 1, constructor: 2, toJSON: 3, then: 4 }": {
        "__proto__": 1,
        "constructor": 2,
        "toJSON": 3,
        "then": 4,
    },
    'JSON.parse(\'{"__proto__": {"a": 1}}\')': {"__proto__": {"a": 1}},
    "Function('return 1')() + (0, eval)('1 + 1')": 3,
    "new URL('http://a.b/c').host + structuredClone({ a: 1 }).a": "a.b1",
}


@pytest.mark.parametrize("source", VALUES)
async def test_an_expression_or_a_function_body_gives_a_value(source: str, pool: WorkerPool) -> None:
    assert await value(pool, "js", source) == VALUES[source]


@pytest.mark.parametrize("given", [None, True, 0, -1.5, "é\0\U0001f600", [], {}, [1, {"a": [None, {"b": "c"}]}]])
async def test_the_input_comes_as_it_is(given: Any, pool: WorkerPool) -> None:
    assert await value(pool, "js", "input", given) == given


FAILURES: dict[str, tuple[str, dict[str, Any]]] = {
    "throw new TypeError('boo')": ("TypeError: boo (line 1)", {"thrown": "TypeError", "line": 1, "column": 11}),
    "const a = 1;\n\n  nope();": ("ReferenceError: nope is not defined (line 3)", {"line": 3, "column": 3}),
    "function f() {\n  null.x }\nreturn f()": ("TypeError: cannot read property 'x' of null (line 2)", {"line": 2}),
    "class Own extends Error { name = 'Own' }\nthrow new Own('x')": ("Own: x", {"thrown": "Own"}),
    "const later = async () => { await 0; throw new Error('late') };\nawait later()": ("Error: late", {"line": 1}),
    "const a = 1;\nlet b = ;": ("SyntaxError: unexpected token in expression: ';'", {"line": 2}),
    "return (": ("SyntaxError", {"thrown": "SyntaxError", "line": 1, "column": None}),
    "1;\n/*": ("SyntaxError: unexpected end of comment (line 2)", {"line": 2, "column": None}),
    "a\0b": ("SyntaxError", {"thrown": "SyntaxError"}),
    "import fs from 'fs'": ("SyntaxError", {"thrown": "SyntaxError"}),
    "throw 5": ("the source threw 5, not an Error", {"thrown": None, "line": None}),
    "throw null": ("the source threw null, not an Error", {"thrown": None}),
    "throw undefined": ("the source threw undefined, not an Error", {}),
    "throw Symbol('s')": ("the source threw Symbol(s), not an Error", {}),
    "throw { get message() { throw 1 }, get name() { throw 2 } }": ("the source threw {", {"thrown": None}),
    "throw Object.create(null)": ("the source threw [Object: null prototype] {}, not an Error", {}),
    "throw new Proxy(new Error('x'), { get() { throw 5 } })": (
        "the source threw an error that cannot be described",
        {},
    ),
    "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e": (
        "the source threw an error that cannot be described",
        {"thrown": None},
    ),
    "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw 1 } }); throw e": (
        "the source threw an error that cannot be described",
        {},
    ),
    "const e = new Error('x'); e.stack = '<input>:' + '9'.repeat(5000) + ':1'; throw e": ("Error: x", {"line": None}),
    "const e = new Error('x'); e.stack = {}; throw e": ("Error: x", {"line": None}),
    "throw new Error('the agent threw 1')": ("Error: the agent threw 1 (line 1)", {"thrown": "Error"}),
    "throw Object.assign(new Error('x'), { call: 1, data: { a: 1 }, inner: { location: '/etc' } })": (
        "Error: x (line 1)",
        {},
    ),
    "new Promise(() => {})": ("the source waits for something that never happens: a sandbox has no timers", {}),
    "queueMicrotask(() => { throw new Error('in a job') }); return 1": ("Error: in a job (line 1)", {}),
    "2n ** (2n ** 40n)": ("RangeError: BigInt is too large", {"thrown": "RangeError"}),
    "'a'.repeat(2 ** 30)": ("RangeError: invalid string length", {}),
}


@pytest.mark.parametrize("source", FAILURES)
async def test_a_failure_has_its_class_and_place(source: str, pool: WorkerPool) -> None:
    failed = await fault(pool, "js", source)
    message, known = FAILURES[source]
    assert str(failed).startswith(message)
    assert {name: getattr(failed, name) for name in known} == known
    assert failed.bound is None


UNFIT = {
    "() => 1": "result is a function",
    "Symbol()": "result is a symbol",
    "1n": "result is a BigInt",
    "{ a: [0, { 'b c': NaN }] }": 'result.a[1]["b c"] is NaN',
    "1e400": "result is Infinity",
    "new Date()": "result is a Date",
    "{ m: new Map() }": "result.m is a Map",
    "new Uint8Array(3)": "result is a Uint8Array",
    "{ toJSON() { return 5 } }": "result.toJSON is a function",
    "const a = { b: [] }; a.b.push(a); return a": "result.b[0] is part of a cycle",
    "let a = []; for (let i = 0; i < 3000; i++) a = [a]; return a": "is nested more than 200 deep",
}


@pytest.mark.parametrize("source", UNFIT)
async def test_what_json_cannot_carry_is_named_by_its_path(source: str, pool: WorkerPool) -> None:
    failed = await fault(pool, "js", source)
    assert f"{UNFIT[source]}, which JSON cannot carry" in str(failed)
    assert len(str(failed)) < 1000


async def test_what_is_printed_is_kept_whether_it_fails_or_not(pool: WorkerPool) -> None:
    print_all = "console.log('a', { b: 1 }); console.error('é\\ud800');"
    assert (await outcome(pool, "js", f"{print_all} return 1")).printed == "a { b: 1 }\né\ufffd\n"
    assert (await fault(pool, "js", f"{print_all} throw 1")).printed == "a { b: 1 }\né\ufffd\n"
    assert (await fault(pool, "js", f"{print_all} await new Promise(() => {{}})")).printed.startswith("a ")


BEYOND: dict[str, tuple[str, str]] = {
    "while (true) {}": ("timeoutMs", "(timeoutMs)"),
    "const f = async () => { await 0; f() }; f(); return 1": ("timeoutMs", "(timeoutMs)"),
    "/(a+)+$/.test('a'.repeat(40) + 'b')": ("timeoutMs", "(timeoutMs)"),
    "new Proxy([], { get: (_, name) => name === 'length' ? 1e9 : 1 })": ("timeoutMs", "(timeoutMs)"),
    "for (;;) { try { null.x } catch {} }": ("timeoutMs", "(timeoutMs)"),
    "const f = () => f() + 1; return f()": ("stack", "nested too deep"),
    "try { (function f() { f() })() } catch { return 'caught' }": ("stack", "nested too deep"),
    f"return {'[' * 5000}{']' * 5000}": ("stack", "nested too deep"),
    "'x'.repeat(2 ** 20)": ("output", "at most 1 MB"),
    "console.log('x'.repeat(2 ** 20)); return 1": ("output", "at most 1 MB"),
    "console.log('x'.repeat(2 ** 20)); throw 1": ("output", "at most 1 MB"),
    "throw new Error('x'.repeat(2 ** 20))": ("output", "at most 1 MB"),
    "const e = new Error('x'); e.name = 'x'.repeat(2 ** 20); throw e": ("output", "at most 1 MB"),
    "console.log('x'.repeat(600_000)); return 'x'.repeat(600_000)": ("output", "at most 1 MB"),
}
MEMORY = [
    "const a = []; for (;;) a.push(new Array(1e5).fill(1))",
    "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)",
    "JSON.stringify(Array(1e7).fill({ a: 1 })).length",
    "'a'.repeat(2 ** 30 - 1).length",
    "[...'x'.repeat(1e7)].sort(() => 1).length",
]


@pytest.mark.parametrize("source", BEYOND)
async def test_beyond_a_bound_the_error_names_it_and_the_next_execution_works(source: str, pool: WorkerPool) -> None:
    bound, text = BEYOND[source]
    failed = await fault(pool, "js", source, timeout_ms=SHORT_MS if bound == "timeoutMs" else 20_000)
    assert (failed.bound, text in str(failed)) == (bound, True), failed
    assert await value(pool, "js", "1 + 1") == 2


@pytest.mark.parametrize("source", MEMORY)
async def test_more_memory_than_it_may_have_ends_it(source: str, pool: WorkerPool) -> None:
    failed = await fault(pool, "js", source, memory_mb=16)
    assert (str(failed), failed.bound) == ("the source used more than 16 MB of memory (memoryMb)", "memoryMb")
    assert await value(pool, "js", "1 + 1") == 2


async def test_memory_beyond_the_bound_cannot_be_kept_by_catching_the_error(pool: WorkerPool) -> None:
    source = "const a = []; for (;;) { try { a.push(new Array(1e6).fill(1)) } catch { return 'caught' } }"
    assert (await fault(pool, "js", source, memory_mb=16)).bound == "memoryMb"


async def test_an_output_of_exactly_the_bound_is_taken(pool: WorkerPool) -> None:
    assert len(await value(pool, "js", f"'x'.repeat({MOST_OUTPUT_BYTES - 2})")) == MOST_OUTPUT_BYTES - 2
    assert (await fault(pool, "js", f"'x'.repeat({MOST_OUTPUT_BYTES - 1})")).bound == "output"


async def test_a_source_of_fifteen_megabytes_is_run_and_one_of_seventeen_is_refused(pool: WorkerPool) -> None:
    assert await value(pool, "js", f"return 1;\n// {'x' * (15 << 20)}", memory_mb=256) == 1
    with pytest.raises(SandboxFault, match="larger than 16 MB"):
        await outcome(pool, "js", "x" * (17 << 20))


async def test_chance_comes_from_the_seed(pool: WorkerPool) -> None:
    draws = "[Math.random(), Math.random()]"
    first = await value(pool, "js", draws, seed="a")
    assert first[0] != first[1]
    assert await value(pool, "js", draws, seed="a") == first
    assert await value(pool, "js", draws, seed="b") != first


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("nope", 1, 1),
        ("return nope", 1, 8),
        ("\n\n  null.x", 3, 8),
        ("const a = {};\nreturn a.b.c", 2, 12),
        ("const f = () => 1;\nf();\nf(missing)", 3, 3),
    ],
)
async def test_a_missing_name_or_property_is_placed_where_it_stands(
    source: str, line: int, column: int, pool: WorkerPool
) -> None:
    failed = await fault(pool, "js", source)
    assert (failed.line, failed.column) == (line, column)
