"""console and its inspector: what reaches the sink."""

import pytest

from tests.support.javascript import printed_by


def inspected(expression: str) -> str:
    [[level, text]] = printed_by(f"console.dir(({expression}))")
    assert level == "log"
    return text


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'text'", "'text'"),
        ('"it\'s"', '"it\'s"'),
        ("'a\\nb'", "'a\\nb'"),
        ("-0", "-0"),
        ("10n", "10n"),
        ("Symbol('s')", "Symbol(s)"),
        ("undefined", "undefined"),
        ("[1, 'a', [2, [3, [4]]]]", "[ 1, 'a', [ 2, [ 3, [Array] ] ] ]"),
        ("[1, , , 4]", "[ 1, <2 empty items>, 4 ]"),
        ("Object.assign([1], { x: 2 })", "[ 1, x: 2 ]"),
        ("{ a: 1, 'b-c': { d: { e: { f: 1 } } } }", "{ a: 1, 'b-c': { d: { e: [Object] } } }"),
        ("{ [Symbol('k')]: 1 }", "{ [Symbol(k)]: 1 }"),
        ("{ get a() { throw 1; }, set b(v) {} }", "{ a: [Getter], b: [Setter] }"),
        ("new Map([['a', { b: 1 }]])", "Map(1) { 'a' => { b: 1 } }"),
        ("new Set([1, 'x'])", "Set(2) { 1, 'x' }"),
        ("new Uint8Array([1, 2])", "Uint8Array(2) [ 1, 2 ]"),
        ("new ArrayBuffer(3)", "ArrayBuffer { byteLength: 3 }"),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Date(NaN)", "Invalid Date"),
        ("/a+/g", "/a+/g"),
        ("new (class Foo { x = 1 })()", "Foo { x: 1 }"),
        ("Object.create(null)", "[Object: null prototype] {}"),
        ("class A extends Map {}", "[class A extends Map]"),
        ("async function f() {}", "[AsyncFunction: f]"),
        ("() => 1", "[Function (anonymous)]"),
        ("Object('x')", "[String: 'x']"),
        ("Promise.resolve(1)", "Promise {}"),
        ("(() => { const a = { n: 1 }; a.self = a; return a; })()", "<ref *1> { n: 1, self: [Circular *1] }"),
        ("new URL('http://h/a')", "URL { href: 'http://h/a' }"),
        ("new URLSearchParams('a=1')", "URLSearchParams { 'a' => '1' }"),
        ("Array.from({ length: 102 }, () => 0).slice(100)", "[ 0, 0 ]"),
        ("new Proxy({}, { ownKeys() { throw new Error('trap'); } })", "[cannot be shown: trap]"),
    ],
)
def test_inspects(expression: str, expected: str) -> None:
    assert inspected(expression) == expected


def test_breaks_long_objects_and_cuts_long_arrays() -> None:
    long = inspected("{ first: 'x'.repeat(50), second: 'y'.repeat(50) }")
    assert long == f"{{\n  first: '{'x' * 50}',\n  second: '{'y' * 50}'\n}}"
    assert inspected("new Array(150).fill(0)").endswith("... 50 more items\n]")


def test_shows_errors_with_stack_cause_and_own_fields() -> None:
    shown = inspected("Object.assign(new TypeError('bad', { cause: new Error('why') }), { code: 'E1' })")
    assert shown.startswith("TypeError: bad\n    at ")
    assert "code: 'E1'" in shown
    assert "[cause]: Error: why" in shown
    assert inspected("new DOMException('m', 'AbortError')").startswith("AbortError: m")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'a', 'b', 1", "a b 1"),
        ("{ a: 'x' }, 'y'", "{ a: 'x' } y"),
        ("'%s is %d', 'x', '42', 'rest'", "x is 42 rest"),
        ("'%i %f', '42.9px', '1.5'", "42 1.5"),
        ("'%j', { a: [1] }", '{"a":[1]}'),
        ("'%O', { a: { b: { c: { d: 1 } } } }", "{ a: { b: { c: { d: 1 } } } }"),
        ("'%c%s', 'color: red', 'x'", "x"),
        ("'100%', 'x'", "100% x"),
        ("'%% %s', 'x'", "% x"),
        ("'%s'", "%s"),
        ("'%x %s', 1", "%x 1"),
        ("'%d', 5n", "5n"),
        ("'%s', Symbol('q')", "Symbol(q)"),
        ("", ""),
    ],
)
def test_formats(arguments: str, expected: str) -> None:
    assert printed_by(f"console.log({arguments})") == [["log", expected]]


def test_levels_groups_counts_and_assertions() -> None:
    program = """
        const { info } = console; info("i"); console.warn("w"); console.error("e"); console.debug("d");
        console.group("g"); console.log("two\\nlines"); console.groupEnd(); console.groupEnd();
        console.log("out");
        console.count(); console.count(); console.countReset(); console.count(); console.count("x");
        console.assert(true, "no"); console.assert(false, "%s", "yes"); console.assert(0);
        console.time("t"); console.timeLog("t"); console.timeEnd("t");
        console.dir({ a: { b: { c: {} } } }, { depth: 0 })
    """
    assert printed_by(program) == [
        ["info", "i"],
        ["warn", "w"],
        ["error", "e"],
        ["debug", "d"],
        ["log", "g"],
        ["log", "  two\n  lines"],
        ["log", "out"],
        ["log", "default: 1"],
        ["log", "default: 2"],
        ["log", "default: 1"],
        ["log", "x: 1"],
        ["error", "Assertion failed: yes"],
        ["error", "Assertion failed"],
        ["log", "{ a: [Object] }"],
    ]


def test_table_and_trace() -> None:
    lines = printed_by("console.table([{ a: 1, b: 'x' }, { a: 2 }, 3]); console.table(5); console.trace('here')")
    assert lines[0][1].split("\n") == [
        "┌─────────┬───┬─────┬────────┐",
        "│ (index) │ a │ b   │ Values │",
        "├─────────┼───┼─────┼────────┤",
        "│ 0       │ 1 │ 'x' │        │",
        "│ 1       │ 2 │     │        │",
        "│ 2       │   │     │ 3      │",
        "└─────────┴───┴─────┴────────┘",
    ]
    assert lines[1] == ["log", "5"]
    assert lines[2][1].startswith("Trace: here\n")
