"""The web globals of the prelude: against Node's recorded answers, and where an agent may be hostile."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.javascript import JavaScriptError, printed_by, run_javascript, run_with_console

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "web_globals.json").read_text("utf-8"))
CASES: list[dict[str, Any]] = RECORDED["cases"]

WHERE_NODE_DIFFERS_FROM_THE_STANDARD: dict[str, Any] = {
    # URL: a double-dot segment at the end leaves an empty segment, also after the last one was dropped.
    'u("..", "foo:/")': {"value": ["foo:/", "null", "foo:", "", "", "", "", "", "/", "", ""]},
    # URL: a port without a leading digit changes nothing.
    'set("https://u:p@h.example:81/a/b?q=1#f", "port", "x8")': {
        "value": [
            "https://u:p@h.example:81/a/b?q=1#f",
            *("https://h.example:81", "https:", "u", "p", "h.example:81", "h.example", "81"),
            *("/a/b", "?q=1", "#f"),
        ]
    },
    # Web IDL: null is no record, so it is the string "null".
    "p(null)": {"value": ["null=", [["null", ""]], 1]},
    # HTML: what cannot be transferred is a DataCloneError.
    "structuredClone(1, { transfer: [{}] })": {"throws": "DataCloneError"},
    # Web IDL, [EnforceRange]: out of range is a TypeError.
    "AbortSignal.timeout(-1)": {"throws": "TypeError"},
}


@cache
def answers() -> list[Any]:
    """What the engine answers to every recorded expression, all of them in one VM."""
    expressions = [case["expression"] for case in CASES]
    answered: list[Any] = run_javascript(
        f"""
        {json.dumps(expressions)}.map((expression) => {{
          try {{
            const body = `${{{json.dumps(RECORDED["helpers"])}}}; return (${{expression}});`;
            return {{ value: (0, eval)(`(() => {{ ${{body}} }})()`) }};
          }} catch (error) {{
            return {{ throws: error.name }};
          }}
        }})
        """
    )
    return answered


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda index: CASES[index]["expression"][:60])
def test_answers_as_node_does(index: int) -> None:
    expression = CASES[index]["expression"]
    expected = WHERE_NODE_DIFFERS_FROM_THE_STANDARD.get(expression, CASES[index]["expected"])
    assert answers()[index] == expected, expression


def test_an_event_cannot_be_dispatched_while_it_is_being_dispatched() -> None:
    program = """
        const target = new EventTarget(); const event = new Event("x"); let name;
        target.addEventListener("x", () => {
          try { target.dispatchEvent(event); } catch (error) { name = error.name; }
        });
        target.dispatchEvent(event);
        name
    """
    assert run_javascript(program) == "InvalidStateError"


def test_url_parse_gives_a_url_or_null() -> None:
    assert run_javascript('[URL.parse("x", "http://h").href, URL.parse("x"), URL.parse("x", "y")]') == [
        "http://h/x",
        None,
        None,
    ]


def test_abort_timeout_uses_the_timer_of_the_call() -> None:
    program = """
        const delays = [];
        let fire;
        globalThis.setTimeout = (callback, delay) => { delays.push(delay); fire = callback; };
        const signal = AbortSignal.timeout(250);
        const before = signal.aborted;
        fire();
        [delays, before, signal.aborted, signal.reason.name]
    """
    assert run_javascript(program) == [[250], False, True, "TimeoutError"]


def test_a_failing_listener_does_not_keep_the_next_one_from_running_and_ends_the_run() -> None:
    program = """
        const target = new EventTarget();
        target.addEventListener("x", () => { throw new Error("boom"); });
        target.addEventListener("x", () => console.log("second"));
        target.dispatchEvent(new Event("x"));
        console.log("after");
    """
    with pytest.raises(JavaScriptError, match="boom"):
        run_javascript(program)
    caught = program.replace('throw new Error("boom")', "undefined")
    assert [text for _, text in printed_by(caught)] == ["second", "after"]


def test_an_agent_that_overwrites_built_ins_does_not_break_the_globals() -> None:
    program = """
        const stringify = JSON.stringify;
        const hostile = () => { throw new Error("hostile"); };
        const { ownKeys, getOwnPropertyDescriptor } = Reflect;
        const classes = [Array, String, RegExp, Map, Set, Promise, Uint8Array, ArrayBuffer, Date, Error,
          Function, Number, Object.getPrototypeOf(Uint8Array)];
        const arrayIterator = Object.getPrototypeOf([][Symbol.iterator]());
        const holders = [...classes.map((each) => each.prototype), arrayIterator, ...classes, Object, JSON,
          Math, Reflect];
        // The engine compiles template literals to calls of String.prototype.concat, so that one is spared.
        const spared = new Set(["constructor", "concat"]);
        const isSpared = Set.prototype.has.bind(spared);
        for (let h = 0; h < holders.length; h++) {
          const keys = ownKeys(holders[h]);
          for (let k = 0; k < keys.length; k++) {
            const { value, writable } = getOwnPropertyDescriptor(holders[h], keys[k]);
            if (typeof value !== "function" || !writable || isSpared(keys[k])) continue;
            holders[h][keys[k]] = hostile;
          }
        }
        console.log("%s %d", "a", 1, { a: [1, new Map()], e: new Error("x").message });
        console.table({ a: { b: 1 } });
        const url = new URL("../ä?b=1#c", "http://münchen.de:81/x/y/z");
        url.searchParams.append("d", "e f");
        const copy = structuredClone({ a: [1, new Date(0)], m: new Map() });
        const controller = new AbortController();
        let aborted = false;
        controller.signal.addEventListener("abort", () => { aborted = true; });
        controller.abort();
        const text = new TextDecoder().decode(new TextEncoder().encode("aé😀"));
        const all = [url.href, copy.a[0], aborted, text];
        globalThis.JSON = { stringify };
        all
    """
    value, lines = run_with_console(program)
    assert lines[0] == ["log", "a 1 { a: [ 1, Map(0) {} ], e: 'x' }"]
    assert len(lines) == 2
    assert value == [
        "http://xn--mnchen-3ya.de:81/x/%C3%A4?b=1&d=e+f#c",
        1,
        True,
        "aé😀",
    ]


def test_globals_are_not_enumerable() -> None:
    names = ["console", "structuredClone", "TextEncoder", "AbortSignal", "Event", "URL", "URLSearchParams"]
    program = f"{json.dumps(names)}.map((name) => Object.getOwnPropertyDescriptor(globalThis, name).enumerable)"
    assert run_javascript(program) == [False] * len(names)
