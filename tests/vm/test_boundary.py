"""What crosses the VM's boundary: JSON, whole; everything else is refused with the place where it stands."""

import json
from typing import Any

import pytest

from tests.support.vm import begin, run_to_end


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("() => 1", "a function"),
        ("new Date(0)", "a Date"),
        ("new Map()", "a Map"),
        ("new Set([1])", "a Set"),
        ("5n", "a BigInt"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("Symbol('x')", "a symbol"),
        ("new (class Point { x = 1 })()", "a Point"),
        ("new Uint8Array(2)", "a Uint8Array"),
        ("/x/", "a RegExp"),
        ("new Error('x')", "an Error"),
        ("new String('x')", "a String"),
    ],
)
def test_what_json_cannot_carry_is_refused_with_its_path(value: str, what: str) -> None:
    threw = begin(f"await chidori.log('x', {{ items: [0, 1, 2, {{ when: {value} }}] }});").threw
    assert threw.name == "TypeError"
    assert threw.message == f"log.fields.items[3].when is {what}, which JSON cannot carry"
    threw = begin(f"return {{ 'a b': [{value}] }};").threw
    assert threw.message == f'result["a b"][0] is {what}, which JSON cannot carry'
    assert begin(f"return {value};").threw.message == f"result is {what}, which JSON cannot carry"


def test_cycles_are_refused_and_shared_values_are_not() -> None:
    threw = begin("const a = { b: [] }; a.b.push(a); return { a };").threw
    assert threw.message == "result.a.b[0] is part of a cycle, which JSON cannot carry"
    assert begin("const s = { x: 1 }; return [s, s, { s }];").output == [{"x": 1}, {"x": 1}, {"s": {"x": 1}}]


def test_a_refused_value_is_an_error_that_the_agent_can_catch_and_no_call() -> None:
    vm = begin("try { await chidori.log('x', { f() {} }); } catch (e) { return e.message; }")
    assert vm.output == "log.fields.f is a function, which JSON cannot carry"
    assert vm.calls == []


def test_undefined_is_dropped_as_json_does() -> None:
    vm = begin("chidori.log('x', { a: undefined, b: [undefined, 1] }); return undefined;")
    assert vm.args() == {"message": "x", "fields": {"b": [None, 1]}}
    assert vm.output is None


def test_to_json_is_refused_not_called() -> None:
    assert begin("return { a: { toJSON() { return 1; } } };").threw.message == (
        "result.a.toJSON is a function, which JSON cannot carry"
    )
    assert begin("return { toJSON: 'a key' };").output == {"toJSON": "a key"}


def test_a_key_called_proto_is_a_key_like_any_other() -> None:
    vm = run_to_end(
        """const got = await chidori.prompt('q');
        return [got, Object.keys(got), Object.getPrototypeOf(got) === Object.prototype, input];""",
        b'{"__proto__": {"polluted": 1}, "constructor": 2}',
        lambda call: {"__proto__": {"x": 1}, "a": 2},
    )
    value, names, plain, given = vm.output
    assert value == {"__proto__": {"x": 1}, "a": 2}
    assert names == ["__proto__", "a"]
    assert plain is True
    assert given == {"__proto__": {"polluted": 1}, "constructor": 2}
    assert begin('return JSON.parse(\'{"__proto__": {"a": "\\\\ud800"}}\');').output == {"__proto__": {"a": "�"}}


def test_half_an_emoji_becomes_the_replacement_character_on_its_way_out() -> None:
    vm = run_to_end(
        """const cut = "😀".slice(0, 1);
        await chidori.prompt("a" + cut);
        await chidori.log(cut, { [cut]: [cut, "\\\\ud800", "😀"] });
        return cut + "b";"""
    )
    assert json.loads(vm.calls[0].args) == {"text": "a�"}
    assert json.loads(vm.calls[1].args) == {"message": "�", "fields": {"�": ["�", "\\ud800", "😀"]}}
    assert vm.output == "�b"


def test_half_an_emoji_on_its_way_in_harms_nothing() -> None:
    vm = begin("return [input.text.length, input.text];", b'{"text": "\\ud83d"}')
    assert vm.output == [1, "�"]


def test_strings_larger_than_the_exchange_buffer_go_both_ways() -> None:
    big = 'aé😀\\"\n' * 200_000
    vm = run_to_end(
        "const back = await chidori.prompt(input.big); return [back === input.big, back.length, back];",
        json.dumps({"big": big}).encode(),
        lambda call: json.loads(call.args)["text"],
    )
    assert vm.output == [True, len(big.encode("utf-16-le")) // 2, big]


def test_a_vm_goes_on_after_many_large_values() -> None:
    vm = run_to_end(
        "let n = 0; for (let i = 0; i < 60; i++) n += (await chidori.prompt('x'.repeat(1_000_000))).length; return n;",
        answer=lambda call: "y" * 1_000_000,
    )
    assert vm.output == 60_000_000


@pytest.mark.parametrize("depth", [100, 199])
def test_nesting_goes_both_ways(depth: int) -> None:
    nested: Any = "core"
    for _ in range(depth):
        nested = [nested]
    assert run_to_end("return await chidori.prompt('q');", answer=lambda call: nested).output == nested


def test_nesting_that_is_too_deep_is_refused() -> None:
    threw = begin("let a = 1; for (let i = 0; i < 600; i++) a = { a }; return a;").threw
    assert "nested more than 200 deep" in threw.message
    assert threw.message.startswith("result.a.a.a")


@pytest.mark.parametrize("number", ["0", "-0", "1e21", "5e-324", "1.7976931348623157e308", "9007199254740993"])
def test_numbers_are_those_of_javascript(number: str) -> None:
    vm = begin("return [input.n, JSON.stringify(input.n)];", f'{{"n": {number}}}'.encode())
    assert vm.output[0] == float(number)


def test_errors_that_are_no_errors_are_described() -> None:
    assert begin("throw 'text';").threw.message == "the agent threw 'text', not an Error"
    assert begin("throw null;").threw.message == "the agent threw null, not an Error"
    assert begin("throw { get message() { throw 1; } };").threw.name == "Error"
    hostile = "throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y'); } });"
    assert "cannot be described" in begin(hostile).threw.message


def test_an_error_of_the_host_has_its_fields_and_the_agents_place() -> None:
    vm = begin(
        """try { await chidori.prompt("q"); } catch (e) {
        return [e instanceof Error, e.name, e.message, e.status, Object.keys(e), e.stack.includes("agent.js:2")]; }"""
    )
    vm.refuse(1, message="away", name="ProviderError", data={"status": 503, "message": "not this", "__proto__": 1})
    assert vm.output[:4] == [True, "ProviderError", "away", 503]
    assert vm.output[5] is True
