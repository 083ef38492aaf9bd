import assert from "node:assert/strict";
import test from "node:test";

import { jsonFault } from "../../chidori_actors/console/static/js/history/json-fault.js";

/** @type {[string, number, number, RegExp][]} */
const FAULTS = [
  ["", 1, 1, /a JSON value is needed/],
  ["  \n ", 2, 2, /a JSON value is needed/],
  ["[1, 2,]", 1, 6, /no comma may stand before \]/],
  ['{\n  "a": 1,\n}', 2, 9, /no comma may stand before \}/],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /a comma or \} is missing/],
  ["[1, 2", 1, 6, /\] is missing: the \[ of line 1/],
  ['{"a": {"b": 1}', 1, 15, /\} is missing: the \{ of line 1/],
  ['{"a": [1}', 1, 9, /\] is expected here, not \}/],
  ["[,1]", 1, 2, /a value is missing before ,/],
  ['{"a":}', 1, 6, /a value is missing before \}/],
  ['{"a":', 1, 6, /a value is missing at the end/],
  ['{"a" 1}', 1, 6, /a colon is missing/],
  ["{a: 1}", 1, 2, /a name in double quotes/],
  ["{'a': 1}", 1, 2, /a name in double quotes/],
  ["['a']", 1, 2, /a text stands in double quotes/],
  ["hello there", 1, 1, /a text stands in double quotes/],
  ['[1,\n True]', 2, 2, /JSON writes true for True/],
  ["[None]", 1, 2, /JSON writes null for None/],
  ["[NaN]", 1, 2, /JSON writes null for NaN/],
  ["[01]", 1, 2, /not a number as JSON writes it/],
  ["[1.]", 1, 2, /not a number as JSON writes it/],
  ["[-]", 1, 2, /a value is expected/],
  ["[1] // one", 1, 5, /the value ends before this/],
  ["[1, // one\n2]", 1, 5, /JSON has no comments/],
  ["[1 // one\n]", 1, 4, /JSON has no comments/],
  ['"a\nb"', 1, 1, /no closing quote/],
  ['["a', 1, 2, /no closing quote/],
  ['"\\d"', 1, 2, /no escape that JSON knows/],
  ['"\\u12g4"', 1, 2, /no escape that JSON knows/],
  ['"a\tb"', 1, 3, /a tab is written/],
  ['"a\u0001b"', 1, 3, /a control character/],
  ["1 2", 1, 3, /the value ends before this/],
];

for (const [text, line, column, message] of FAULTS) {
  test(`the fault of ${JSON.stringify(text)} is found at ${line}:${column}`, () => {
    const fault = jsonFault(text);
    assert.ok(fault !== null);
    assert.match(fault.message, message);
    assert.deepEqual([fault.line, fault.column], [line, column]);
  });
}

test("what JSON.parse takes has no fault", () => {
  for (const text of ["0", " [ ] ", '{"a":{"b":[1,2.5e-3,true,null,"\\u00e9\\n\\"x"]}}', '"\u2028"', "\n{}\n"]) {
    assert.equal(jsonFault(text), null, text);
  }
});

test("every text made by dropping a character of a JSON text is judged as JSON.parse judges it", () => {
  const whole = '{"a": [1, -2.5e3, {"b": "x\\n\\u00e9"}], "c": {}, "d": [true, false, null]}';
  for (let index = 0; index < whole.length; index++) {
    const text = whole.slice(0, index) + whole.slice(index + 1);
    let isJson = true;
    try {
      JSON.parse(text);
    } catch {
      isJson = false;
    }
    const fault = jsonFault(text);
    assert.equal(fault === null, isJson, text);
    // A fault that the scan cannot name would have this message.
    assert.notEqual(fault?.message, "this is not JSON", text);
  }
});

test("a text that is nested a hundred thousand deep does not end the scan", () => {
  const fault = jsonFault("[".repeat(100_000));
  assert.equal(fault?.column, 100_001);
});

test("a long text with a fault behind it is scanned", () => {
  const fault = jsonFault(`["${"x".repeat(2_000_000)}" 1]`);
  assert.match(fault?.message ?? "", /a comma or \] is missing/);
});
