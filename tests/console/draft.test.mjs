import assert from "node:assert/strict";
import test from "node:test";

import {
  branchBody,
  draftFault,
  isUnchanged,
  recordedDraft,
  resultKind,
} from "../../chidori_actors/console/static/js/history/draft.js";

import { parseExactly, writeExactly } from "../../chidori_actors/console/static/js/exact-json.js";

/** A recorded call, with what a test says otherwise. */
function call(fields) {
  return { seq: 7, function: "prompt", args: { text: "hi" }, result: "recorded", error: null, ...fields };
}

test("each function has the editor that its result takes", () => {
  const kinds = [
    [call({}), "text"],
    [call({ args: { text: "hi", format: "json" } }), "json"],
    [call({ args: { text: "hi", tools: [] } }), "json"],
    [call({ function: "input", args: { choices: ["yes", "no"] } }), "choice"],
    [call({ function: "input", args: { choices: null } }), "text"],
    [call({ function: "template", args: {} }), "text"],
    [call({ function: "parallel", args: { count: 3 } }), "array"],
    [call({ function: "env", args: { name: "HOME" } }), "none"],
    [call({ function: "http", args: {} }), "json"],
    [call({ function: "something new", args: null }), "json"],
  ];
  for (const [recorded, kind] of kinds) assert.equal(resultKind(recorded), kind);
});

test("a text is edited as it is, and sent as a JSON text", () => {
  const draft = recordedDraft(call({}), "text");
  assert.equal(draft.text, "recorded");
  draft.text = 'it said "no"\n{';
  assert.equal(draftFault(draft, "text", call({})), null);
  assert.deepEqual(branchBody(draft, "text", 7), { at: 7, result: 'it said "no"\n{' });
});

test("a value is edited as JSON over lines, and sent as the value", () => {
  const recorded = call({ function: "http", result: { status: 500 } });
  const draft = recordedDraft(recorded, "json");
  assert.equal(draft.text, '{\n  "status": 500\n}');
  draft.text = '{"status": 9007199254740993, "part": 1.0}';
  draft.note = "  as if it were well ";
  const body = writeExactly(branchBody(draft, "json", 7));
  assert.equal(body, '{"at":7,"result":{"status": 9007199254740993, "part": 1.0},"note":"as if it were well"}');
});

test("exact numbers of a record are in the editor, and are no change", () => {
  const result = parseExactly('{"id": 18446744073709551617, "part": 1.0}');
  const recorded = call({ function: "http", result });
  const draft = recordedDraft(recorded, "json");
  assert.equal(draft.text, '{\n  "id": 18446744073709551617,\n  "part": 1.0\n}');
  assert.ok(isUnchanged({ ...draft, text: '{"id":18446744073709551617,"part":1.0}' }, "json", recorded));
  assert.ok(!isUnchanged({ ...draft, text: '{"id":18446744073709551616,"part":1.0}' }, "json", recorded));
});

test("a fault of JSON text names its line and column", () => {
  const recorded = call({ function: "http", result: {} });
  const draft = { ...recordedDraft(recorded, "json"), text: '{\n  "status" 200\n}' };
  const fault = draftFault(draft, "json", recorded);
  assert.deepEqual([fault?.line, fault?.column], [2, 12]);
});

test("a call that failed begins with its error, and can be given a result", () => {
  const recorded = call({ result: null, error: { message: "rate limited" } });
  const draft = recordedDraft(recorded, "text");
  assert.deepEqual([draft.mode, draft.error, draft.text], ["error", "rate limited", ""]);
  assert.deepEqual(branchBody({ ...draft, mode: "result", text: "fine" }, "text", 7), { at: 7, result: "fine" });
  assert.deepEqual(branchBody({ ...draft, error: "gone" }, "text", 7), { at: 7, error: "gone" });
});

test("an error needs a message, and a choice has to be made", () => {
  const recorded = call({});
  const draft = recordedDraft(recorded, "text");
  assert.match(draftFault({ ...draft, mode: "error", error: " " }, "text", recorded)?.message ?? "", /message/);
  assert.match(draftFault({ ...draft, text: "" }, "choice", recorded)?.message ?? "", /Choose/);
});

test("parallel takes as many results as it has branches", () => {
  const recorded = call({ function: "parallel", args: { count: 2 }, result: null, error: { message: "no" } });
  const draft = { ...recordedDraft(recorded, "array"), mode: "result" };
  assert.equal(draft.text, "[\n  null,\n  null\n]");
  assert.equal(draftFault(draft, "array", recorded), null);
  assert.match(draftFault({ ...draft, text: "[1]" }, "array", recorded)?.message ?? "", /2 items.*it has 1/);
  assert.match(draftFault({ ...draft, text: "{}" }, "array", recorded)?.message ?? "", /it is no array/);
});

test("a variable of the environment can only be made to fail", () => {
  const recorded = call({ function: "env", args: { name: "HOME" }, result: null });
  const draft = recordedDraft(recorded, "none");
  assert.equal(draft.mode, "error");
  assert.match(draftFault({ ...draft, mode: "result" }, "none", recorded)?.message ?? "", /only be made to fail/);
});

test("a draft that says what the record says is known, however its JSON is laid out", () => {
  const recorded = call({ function: "http", result: { a: [1] } });
  const draft = recordedDraft(recorded, "json");
  assert.equal(isUnchanged(draft, "json", recorded), true);
  assert.equal(isUnchanged({ ...draft, text: '{"a":[1]}' }, "json", recorded), true);
  assert.equal(isUnchanged({ ...draft, text: '{"a":[2]}' }, "json", recorded), false);
  assert.equal(isUnchanged({ ...draft, text: "{" }, "json", recorded), false);
  assert.equal(isUnchanged({ ...draft, mode: "error" }, "json", recorded), false);
  assert.equal(isUnchanged({ ...recordedDraft(call({}), "text"), text: "recorded " }, "text", call({})), false);
});
