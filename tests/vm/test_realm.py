"""What an agent finds in its realm, and what it cannot break there."""

from typing import Any

import pytest

from tests.support.vm import NOW_MS, begin, run_to_end

WORKING = """
  const first = await chidori.prompt("1");
  const second = chidori.prompt("2"), third = chidori.log("3", { a: [1] });
  const rest = await second;
  await third;
  const late = await new Promise((resolve) => setTimeout(resolve, 5, "late"));
  const tried = await chidori.tryCall(() => chidori.prompt("4"));
  return [first, rest, late, tried.value];
"""


@pytest.mark.parametrize(
    "hostile",
    [
        "Array.prototype.push = boom;",
        "JSON.stringify = boom; JSON.parse = boom;",
        "Promise.prototype.then = boom;",
        "Promise.resolve = Promise.all = boom;",
        "Map.prototype.get = Map.prototype.set = Map.prototype.delete = boom;",
        "WeakMap.prototype.get = WeakMap.prototype.set = boom;",
        "Error.prepareStackTrace = boom;",
        "Error.prepareStackTrace = () => 5;",
        "Error.prepareStackTrace = () => 'a\\nb';",
        "Error.captureStackTrace = boom; Error.stackTraceLimit = 0;",
        "Object.keys = Object.getPrototypeOf = Object.defineProperty = boom;",
        "Array.isArray = boom; Array.prototype.join = boom;",
        "String.prototype.indexOf = String.prototype.slice = String.prototype.includes = boom;",
        "RegExp.prototype.test = RegExp.prototype.exec = boom;",
        "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = boom;",
        "Reflect.apply = boom;",
        "Array.prototype[Symbol.iterator] = boom;",
        "Object.prototype.reject = Object.prototype.signal = Object.prototype.type = 5;",
        "Object.defineProperty(Object.prototype, 'onSettle', { get: boom, set: boom });",
        "globalThis.Error = globalThis.TypeError = boom;",
        "globalThis.Map = globalThis.WeakMap = globalThis.Number = globalThis.Math = undefined;",
        "delete globalThis.JSON; delete globalThis.Object; delete globalThis.Reflect;",
        "delete globalThis.__prelude; delete globalThis.setTimeout; delete globalThis.queueMicrotask;",
    ],
)
def test_host_calls_work_whatever_an_agent_overwrites(hostile: str) -> None:
    settimeout = "const { setTimeout } = globalThis; const boom = () => { throw new RangeError('boom'); };"
    vm = run_to_end(f"{settimeout} {hostile} {WORKING}", answer=lambda call: f"to {call.ordinal}")
    assert vm.output == ["to 1", "to 2", "late", "to 5"]
    assert [call.function for call in vm.calls] == ["prompt", "prompt", "log", "timer", "prompt"]


def test_the_prelude_is_not_reachable() -> None:
    assert begin("return [typeof __prelude, Object.isFrozen(chidori)];").output == ["undefined", True]
    vm = begin("try { globalThis.chidori = 1; } catch (e) { return e.name; }")
    assert vm.output == "TypeError"


def test_what_depends_on_the_collector_or_threads_is_not_there() -> None:
    names = ["WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics", "performance", "gc", "navigator"]
    assert begin(f"return {names}.filter((name) => name in globalThis);").output == []


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        ("fetch('http://x')", "chidori.http"),
        ("require('fs')", "import"),
        ("process.env.KEY", "chidori.env"),
        ("process.exit(1)", "no process"),
    ],
)
def test_what_is_not_there_names_what_to_use(use: str, instead: str) -> None:
    threw = begin(f"{use};").threw
    assert threw.name == "TypeError"
    assert instead in threw.message


def test_unknown_options_and_wrong_types_are_refused() -> None:
    assert 'unknown option "modle"' in begin("await chidori.prompt('x', { modle: 'y' });").threw.message
    assert 'option "model" must be of type string' in begin("await chidori.prompt('x', { model: 1 });").threw.message
    assert "must be a string, not null" in begin("await chidori.prompt(null);").threw.message
    assert "known: set, get, delete, list, clear" in begin("await chidori.memory('put', 'x');").threw.message
    assert 'unknown action "toString"' in begin("await chidori.memory('toString', 'x');").threw.message


def test_the_clock_is_the_time_of_the_last_answer() -> None:
    vm = begin("const t = [Date.now(), new Date().getTime()]; await chidori.log('x'); t.push(Date.now()); return t;")
    vm.give(1, now_ms=NOW_MS + 1234)
    assert vm.output == [NOW_MS, NOW_MS, NOW_MS + 1234]


def test_random_numbers_come_from_the_seed() -> None:
    body = "return [1, 2, 3].map(() => Math.random());"
    first = begin(body).output
    assert first == begin(body).output
    assert first != begin(body, random=[1, 2, 3, 5]).output
    assert len(set(first)) == 3
    assert all(0 <= number < 1 for number in first)


@pytest.mark.parametrize(
    ("config", "uses"),
    [
        ({"date": "disabled"}, ["Date.now()", "new Date()", "Date()"]),
        ({"random": None}, ["Math.random()"]),
        (
            {"maps_sets": "reject"},
            ["new Map()", "new Set()", "new WeakMap()", "new WeakSet()", "Map.groupBy([], (x) => x)"],
        ),
    ],
)
def test_what_is_switched_off_says_which_setting_did_it(config: dict[str, Any], uses: list[str]) -> None:
    for use in uses:
        threw = begin(f"{use};", **config).threw
        assert threw.name == "TypeError"
        assert "is switched off for this run (CHIDORI_" in threw.message
    assert run_to_end(WORKING, answer=lambda call: call.ordinal, **config).output == [1, 2, "late", 5]


@pytest.mark.parametrize(
    "code",
    ["eval('import(\"./agent.js\")')", "new Function('return import(\"./agent.js\")')()", "import('./agent.js')"],
)
def test_a_dynamic_import_after_the_start_is_refused(code: str) -> None:
    vm = begin(f"await chidori.log('x'); try {{ await {code}; return 'loaded'; }} catch (e) {{ return e.name; }}")
    vm.give(1)
    assert vm.output != "loaded"


def test_timers_fire_in_the_order_of_their_answers_and_can_be_cleared() -> None:
    vm = begin(
        """const out = [];
        setTimeout((a, b) => out.push(a + b), 20, "one", "!");
        setTimeout(() => out.push("two"), 10);
        const never = setTimeout(() => out.push("never"), 1);
        clearTimeout(never); clearTimeout(never); clearTimeout(undefined); clearTimeout(99);
        queueMicrotask(() => out.push("micro"));
        let ticks = 0;
        const interval = setInterval(() => { out.push("tick"); if (++ticks === 2) clearInterval(interval); }, 5);
        await chidori.log("x"); out.push("log");
        await new Promise((resolve) => setTimeout(resolve, -5));
        return out;"""
    )
    delays = [vm.args(index)["ms"] for index in range(4)]
    assert delays == [20, 10, 1, 5]
    assert [type(item).__name__ for item in vm.said].count("Aborted") == 1
    vm.give(2)
    vm.give(4)
    assert vm.calls[-1].function == "timer"
    vm.give(vm.calls[-1].ordinal)
    vm.give(1)
    vm.give(5)
    assert vm.args() == {"ms": 0}
    vm.give(vm.calls[-1].ordinal)
    assert vm.output == ["micro", "two", "tick", "tick", "one!", "log"]


@pytest.mark.parametrize(
    "schedule",
    ["setTimeout(() => { throw new Error('inside'); }, 1)", "queueMicrotask(() => { throw new Error('inside'); })"],
)
def test_an_error_in_a_callback_ends_the_run_at_its_place(schedule: str) -> None:
    vm = run_to_end(f"{schedule};\nawait new Promise((resolve) => setTimeout(resolve, 50));")
    assert vm.threw.message == "inside"
    assert "agent.js:2:" in vm.threw.stack
