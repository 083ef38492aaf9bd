import assert from "node:assert/strict";
import test from "node:test";

import { markedLines } from "../../chidori_actors/console/static/js/history/marked-json.js";

/** The marked lines' text. */
function marked(value, path) {
  return markedLines(value, path).filter((line) => line.marked).map((line) => line.text.trim());
}

const VALUE = { text: "hi", messages: [{ role: "user" }, { role: "system", content: [] }], "a.b": 1 };

test("the lines are those of pretty JSON", () => {
  for (const value of [VALUE, [], {}, null, "x\ny", [1, [2]]]) {
    const text = markedLines(value, null).map((line) => line.text).join("\n");
    assert.equal(text, JSON.stringify(value, null, 2));
  }
  assert.equal(markedLines(undefined, null)[0]?.text, "null");
});

test("the differing field is marked, with all that stands in it", () => {
  assert.deepEqual(marked(VALUE, "text"), ['"text": "hi",']);
  assert.deepEqual(marked(VALUE, "messages[0]"), ["{", '"role": "user"', "},"]);
  assert.deepEqual(marked(VALUE, "messages[1].content"), ['"content": []']);
  assert.deepEqual(marked(VALUE, "a.b"), ['"a.b": 1']);
  assert.deepEqual(marked([1, 2], "[1]"), ["2"]);
});

test("of a field that is only on the other side, what would hold it is marked", () => {
  assert.deepEqual(marked(VALUE, "messages[1].content[0]"), ['"content": []']);
  assert.deepEqual(marked(VALUE, "temperature"), []);
  assert.deepEqual(marked(VALUE, null), []);
  assert.deepEqual(marked(VALUE, ""), []);
});
