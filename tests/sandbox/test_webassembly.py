"""A WebAssembly module that nobody trusts: what it gives, what it may not have, and what stops it."""

import base64
from contextlib import suppress
from typing import Any

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors import exact_json
from chidori_actors.sandbox.execution import SandboxFault
from chidori_actors.sandbox.pool import WorkerPool
from chidori_actors.sandbox.webassembly import WebAssembly

from .executions import SHORT_MS, execution, fault, outcome, value

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADD = '(module (func (export "f") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
ECHO = """(module (func (export "f") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
  local.get 0 local.get 1 local.get 2 local.get 3))"""
LOG = """(module (import "host" "log" (func $log (param i32 i32))) (memory (export "memory") 1)
  (data (i32.const 0) "h\\c3\\a9\\ff") (func (export "f") (param i32 i32) (call $log (local.get 0) (local.get 1))))"""
LOOP = '(module (func (export "f") (loop br 0)))'


def binary(text: str) -> str:
    return base64.b64encode(wasmtime.wat2wasm(text)).decode()


def returning(kind: str, body: str, before: str = "") -> str:
    return f'(module {before} (func (export "f") (result {kind}) {body}))'


async def returns(pool: WorkerPool, source: str, *args: Any, **options: Any) -> Any:
    return (await value(pool, "wasm", source, args=list(args), **options))["returns"]


@pytest.mark.parametrize("source", [ADD, f";; adds\n {ADD}", binary(ADD), "\n".join(binary(ADD)) + "\n"])
async def test_text_and_base64_are_both_a_module(source: str, pool: WorkerPool) -> None:
    assert await returns(pool, source, 1, 2) == [3]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0.0, 0.0]),
        ([-(2**31), -(2**63), -1.5, -1e308], [-(2**31), str(-(2**63)), -1.5, -1e308]),
        ([2**31 - 1, 2**63 - 1, 1.5, 1e308], [2**31 - 1, str(2**63 - 1), 1.5, 1e308]),
        ([2**32 - 1, 2**64 - 1, 1e300, 2**1000], [-1, -1, "Infinity", float(2**1000)]),
        (["-1", "-9223372036854775808", "NaN", "-Infinity"], [-1, str(-(2**63)), "NaN", "-Infinity"]),
        (["7", "18446744073709551615", "12", "1" + "0" * 39], [7, -1, 12.0, 1e39]),
        ([2.0, 2**53 - 1, 0.1, 0.1], [2, 2**53 - 1, 0.10000000149011612, 0.1]),
        ([1, 2**53, 0, 0], [1, str(2**53), 0.0, 0.0]),
    ],
)
async def test_numbers_go_in_and_come_out_as_they_are(args: list[Any], expected: list[Any], pool: WorkerPool) -> None:
    assert await returns(pool, ECHO, *args) == expected


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([1], "`f` takes (i32, i32), and 1 argument was given"),
        ([1, 2, 3], "`f` takes (i32, i32), and 3 arguments were given"),
        ([1, "x"], "argument 2: `f` takes (i32, i32); 'x' is not a number"),
        ([1, "1" * 5000], "is not a number"),
        ([1.5, 1], "argument 1: `f` takes (i32, i32); 1.5 is not an integer"),
        (["NaN", 1], "nan is not an integer"),
        ([2**32, 1], "4294967296 does not fit i32"),
        ([-(2**31) - 1, 1], "does not fit i32"),
        ([2**70, 1], "does not fit i32"),
        ([None, 1], "null is not a number"),
        ([True, 1], "true is not a number"),
        ([[1], 1], "[1] is not a number"),
    ],
)
async def test_arguments_are_checked_against_the_signature(args: list[Any], message: str, pool: WorkerPool) -> None:
    assert message in str(await fault(pool, "wasm", ADD, args=args))


@pytest.mark.parametrize("number", [2**2000, -(2**2000)], ids=["positive", "negative"])
async def test_a_number_beyond_every_type_is_refused(number: int, pool: WorkerPool) -> None:
    assert "does not fit" in str(await fault(pool, "wasm", ECHO, args=[0, number, 0, 0]))
    assert "does not fit f64" in str(await fault(pool, "wasm", ECHO, args=[0, 0, 0, number]))


async def test_many_values_are_taken_and_given(pool: WorkerPool) -> None:
    count = 900
    params, results, body = (
        "(param i32)" * count,
        "(result i32)" * count,
        "".join(f"local.get {i} " for i in range(count)),
    )
    source = f'(module (func (export "f") {params} {results} {body}))'
    assert await returns(pool, source, *range(count)) == list(range(count))


SPECIAL = {
    "(module (global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 7))) (start $s) "
    '(func (export "f") (result i32) (global.get $g)))': [7],
    returning("i32", "(i32.load8_u (i32.const 1))", '(memory 1) (data (i32.const 0) "ab")'): [98],
    returning("i64", "(memory.size)", "(memory i64 1)"): [1],
    returning("i32", "(table.grow (ref.null func) (i32.const 1000000000))", "(table 1 funcref)"): [-1],
    f'(module (func (export "f") {"(block " * 10_000}{")" * 10_000}))': [],
}


@pytest.mark.parametrize("source", SPECIAL, ids=lambda source: source[:60])
async def test_modules_have_start_functions_data_memories_and_tables(source: str, pool: WorkerPool) -> None:
    assert await returns(pool, source) == SPECIAL[source]


async def test_host_log_takes_text_from_the_exported_memory(pool: WorkerPool) -> None:
    assert (await outcome(pool, "wasm", LOG, args=[0, 4])).printed == "hé\ufffd\n"
    assert (await outcome(pool, "wasm", LOG, args=[65536, 0])).printed == "\n"
    unreachable = LOG.replace("(local.get 1)))", "(local.get 1)) unreachable)")
    assert (await fault(pool, "wasm", unreachable, args=[0, 3])).printed == "hé\n"


@pytest.mark.parametrize("args", [[65535, 2], [65537, 0], [-1, -1], [-1, 1], [0, -1]])
async def test_host_log_does_not_read_outside_of_the_memory(args: list[int], pool: WorkerPool) -> None:
    assert "the text does not lie in a memory" in str(await fault(pool, "wasm", LOG, args=args))


async def test_host_log_needs_a_memory(pool: WorkerPool) -> None:
    hidden = LOG.replace('(export "memory")', "")
    assert "exported as `memory`" in str(await fault(pool, "wasm", hidden, args=[0, 1]))


REFUSED: dict[str, str] = {
    "": "it does not begin with `\\0asm`",
    "AAAA": "it does not begin with `\\0asm`",
    "é": "neither base64 nor WebAssembly text",
    "\ufeff(module)": "neither base64 nor WebAssembly text",
    "AGFzb": "neither base64 nor WebAssembly text",
    binary(ADD)[:-4]: "not a WebAssembly module: failed to parse WebAssembly module; unexpected end",
    "(é": "not WebAssembly text: unexpected character",
    "(module \0)": "not WebAssembly text: unexpected character",
    "(module\n  (func $x (unknown)))": "unknown operator or unexpected token (line 2)",
    "(" * 100_000: "not WebAssembly text",
    "(module)": "the module exports no function `f` (its functions: none)",
    '(module (memory (export "f") 1))': "the module exports no function `f`",
    f'(module (func (export "{"z" * 90_000}")))': f"(its functions: {'z' * 100}…)",
    '(module (import "env" "x" (func)) (func (export "f")))': "the module imports env.x; a sandbox gives only host.log",
    '(module (import "wasi_snapshot_preview1" "fd_write" (func)))': "imports wasi_snapshot_preview1.fd_write",
    '(module (import "a" "b" (global i32)))': "the module imports a.b",
    '(module (import "a" "b" (memory 1)))': "the module imports a.b",
    '(module (import "host" "log" (func (param i64))) (func (export "f")))': "incompatible import type",
    '(module (import "host" "log" (memory 1)) (func (export "f")))': "incompatible import type",
    "(component)": "a WebAssembly component",
    returning("v128", "(v128.const i64x2 1 2)"): "SIMD support is not enabled",
    '(module (func (export "f") (param externref)))': "`f` takes",
    returning("externref", "(ref.null extern)"): "only numbers can be given back",
    returning("funcref", "(ref.null func)"): "only numbers can be given back",
    returning("i31ref", "(ref.i31 (i32.const 1))"): "not a WebAssembly module",
    returning(
        "(ref $s)", "(struct.new $s (i32.const 1))", "(type $s (struct (field i32)))"
    ): "not a WebAssembly module",
    '(module (type $f (func)) (func (export "f") (param (ref null $f))))': "not a WebAssembly module",
    '(module (tag $t (param i32)) (func (export "f") (throw $t (i32.const 1))))': "exceptions proposal not enabled",
    '(module (memory 1 1 shared) (func (export "f")))': "threads must be enabled",
    '(module (memory 1) (memory 1) (func (export "f")))': "memory count too high",
    f'(module {"(table 1 funcref)" * 11} (func (export "f")))': "table count too high",
    '(module (table 100001 funcref) (func (export "f")))': "exceeds table limits",
    '(module (memory 65537) (func (export "f")))': "memory size must be at most",
    '(module (memory 1 (pagesize 1)) (func (export "f")))': "custom page sizes",
    f'(module (func (export "f") (param i32) (block (br_table {"0 " * 100_000} (local.get 0)))))': "br_table",
}


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:60])
async def test_what_cannot_be_run_is_refused_with_its_reason(source: str, pool: WorkerPool) -> None:
    failed = await fault(pool, "wasm", source)
    assert REFUSED[source] in str(failed)
    assert len(str(failed)) < 2000
    assert failed.bound is None


TRAPS = {
    "unreachable": "the module trapped: wasm `unreachable` instruction executed",
    "(drop (i32.div_s (i32.const 1) (i32.const 0)))": "the module trapped: integer divide by zero",
    "(drop (i32.load (i32.const -1)))": "the module trapped: out of bounds memory access",
    "(call_indirect (i32.const 5))": "the module trapped: undefined element",
}


@pytest.mark.parametrize("body", TRAPS)
async def test_a_trap_is_told_without_the_engine_s_own_words(body: str, pool: WorkerPool) -> None:
    source = f'(module (memory 1) (table 1 funcref) (func (export "f") {body}))'
    assert str(await fault(pool, "wasm", source)).startswith(TRAPS[body])


async def test_memory_pages_is_the_number_of_pages_that_it_may_have(pool: WorkerPool) -> None:
    four, five = (returning("i32", "(memory.size)", f"(memory {pages})") for pages in (4, 5))
    grown = returning("i32", "(memory.grow (i32.const 3)) drop (memory.grow (i32.const 1))", "(memory 1)")
    assert await returns(pool, four, memory_pages=4) == [4]
    assert await returns(pool, grown, memory_pages=4) == [-1]
    assert await returns(pool, grown, memory_pages=5) == [4]
    failed = await fault(pool, "wasm", five, memory_pages=4)
    assert (str(failed), failed.bound) == (
        "the module needs more memory than 4 pages of 64 KB (memoryPages)",
        "memoryPages",
    )
    assert await returns(pool, returning("i32", "(memory.size)", "(memory 65536)"), memory_pages=65536) == [65536]


async def test_fuel_is_counted_the_same_in_every_execution(pool: WorkerPool) -> None:
    first, again = [await value(pool, "wasm", ADD, args=[1, 2], fuel=1000) for _ in range(2)]
    assert first == again == {"returns": [3], "fuel_remaining": first["fuel_remaining"]}
    used = 1000 - first["fuel_remaining"]
    assert 0 < used < 20
    assert (await value(pool, "wasm", ADD, args=[1, 2], fuel=used))["fuel_remaining"] == 0
    failed = await fault(pool, "wasm", LOOP, fuel=used)
    assert (str(failed), failed.bound) == (f"the module used up its fuel of {used} (fuel)", "fuel")


BEYOND: dict[str, tuple[str, str, dict[str, Any]]] = {
    "loop": ("fuel", LOOP, {"fuel": 10**6}),
    "start": ("fuel", '(module (func $s (loop br 0)) (start $s) (func (export "f")))', {"fuel": 10**6}),
    "tail calls": ("fuel", '(module (func (export "f") (return_call 0)))', {"fuel": 10**6}),
    "loop with fuel": ("timeoutMs", LOOP, {"fuel": 2**53, "timeout_ms": SHORT_MS}),
    "bulk memory": (
        "timeoutMs",
        '(module (memory 256) (func (export "f") '
        "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 16000000)) br 0)))",
        {"fuel": 2**53, "timeout_ms": SHORT_MS},
    ),
    "recursion": ("stack", '(module (func $f (export "f") (call $f)))', {}),
    "printing": (
        "output",
        '(module (import "host" "log" (func $log (param i32 i32))) (memory (export "memory") 1) (func (export "f") '
        "(loop (call $log (i32.const 0) (i32.const 1000)) br 0)))",
        {},
    ),
    "printing nothing": (
        "timeoutMs",
        '(module (import "host" "log" (func $log (param i32 i32))) (memory (export "memory") 1) (func (export "f") '
        "(loop (call $log (i32.const 0) (i32.const 0)) br 0)))",
        {"fuel": 2**53, "timeout_ms": SHORT_MS},
    ),
    "thousands of functions": (
        "timeoutMs",
        "(module "
        + "".join(f'(func (export "f{i}") (result i32) (i32.const {i}))' for i in range(60_000))
        + ' (func (export "f")))',
        {"timeout_ms": SHORT_MS},
    ),
    "one large function": (
        "timeoutMs",
        f'(module (func (export "f") (local i32) {"(local.set 0 (i32.add (local.get 0) (i32.const 1)))" * 250_000}))',
        {"timeout_ms": SHORT_MS},
    ),
}


@pytest.mark.parametrize("name", BEYOND)
async def test_beyond_a_bound_the_error_names_it_and_the_next_execution_works(name: str, pool: WorkerPool) -> None:
    bound, source, options = BEYOND[name]
    failed = await fault(pool, "wasm", source, **options)
    text = {"stack": "nested too deep", "output": "at most 1 MB"}.get(bound, f"({bound})")
    assert (failed.bound, text in str(failed)) == (bound, True), failed
    assert await returns(pool, ADD, 1, 2) == [3]


_VALID = wasmtime.wat2wasm(LOG.replace("(func (export", "(table 2 funcref) (func (export"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, len(_VALID) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, len(_VALID)),
)
async def test_mangled_modules_do_nothing_but_fail_or_run(edits: list[tuple[int, int]], cut: int) -> None:
    mangled = bytearray(_VALID)
    for at, byte in edits:
        mangled[at] = byte
    for data in (bytes(mangled), bytes(mangled[:cut])):
        source = base64.b64encode(data).decode()
        with suppress(SandboxFault):
            result = _ENGINE.execute(execution("wasm", source, args=[0, 1], fuel=10_000, memory_pages=2))
            assert exact_json.loads(result.value)["fuel_remaining"] <= 10_000


_ENGINE = WebAssembly()


async def test_the_memory_of_modules_that_failed_is_free_for_those_after_them(pool: WorkerPool) -> None:
    """A process may have 8 GB, and keeps more than a memory's size free behind it."""
    large = '(module (memory 16384) (func (export "f") (result i32) {}))'
    for _ in range(8):
        assert "unreachable" in str(await fault(pool, "wasm", large.format("unreachable"), memory_pages=16384))
    given = await value(pool, "wasm", large.format("memory.size"), memory_pages=16384)
    assert given["returns"] == [16384]
