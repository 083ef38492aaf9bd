import assert from "node:assert/strict";
import test from "node:test";

import { parseExactly, RawJson, writeExactly } from "../../chidori_actors/console/static/js/exact-json.js";

test("numbers that JavaScript has are numbers", () => {
  const value = parseExactly('{"a": [0, -1, 1.5, 9007199254740991, 1e21], "b": "1.0"}');
  assert.deepEqual(value.a.slice(0, 4), [0, -1, 1.5, 9007199254740991]);
  assert.equal(value.b, "1.0");
});

test("numbers that it would change are kept as they were written", () => {
  for (const number of ["9007199254740993", "-18446744073709551617", "1.0", "-0", "1e5", "0.1000", "123456789.123456789123"]) {
    const value = parseExactly(`{"it": [${number}]}`);
    assert.ok(value.it[0] instanceof RawJson, number);
    assert.equal(String(value.it[0]), number);
    assert.equal(writeExactly(value), `{"it":[${number}]}`);
    assert.equal(writeExactly(parseExactly(number)), number);
  }
});

test("texts that look like numbers, and keys, are left alone", () => {
  const text = '{"9007199254740993":"\\\\\\"9007199254740993\\" 1.0","a\\\\":"\\u0031.0","n":9007199254740993}';
  const value = parseExactly(text);
  assert.equal(value["9007199254740993"], '\\"9007199254740993" 1.0');
  assert.equal(value["a\\"], "1.0");
  assert.equal(writeExactly(value), text.replace("\\u0031", "1"));
});

test("raw text stands in what is written as it was typed", () => {
  assert.equal(writeExactly({ at: 1, result: new RawJson('{"a": 1.0,\n "b": []}') }), '{"at":1,"result":{"a": 1.0,\n "b": []}}');
  assert.equal(writeExactly(undefined), "null");
  assert.equal(writeExactly([new RawJson("1.0"), "x"], 2), '[\n  1.0,\n  "x"\n]');
});

test("what is no JSON is refused", () => {
  for (const text of ["", "01", "1.", "{9007199254740993}", '["1.0]']) assert.throws(() => parseExactly(text), SyntaxError);
});

test("megabytes are read", () => {
  const long = "x\\\\ 1.0 ".repeat(1_000_000);
  const value = parseExactly(`["${long}", 1.0, ${"1.5, ".repeat(200_000)}2]`);
  assert.equal(String(value[1]), "1.0");
  assert.equal(value[0].length, 7_000_000);
});
