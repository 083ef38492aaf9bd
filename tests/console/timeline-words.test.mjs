import assert from "node:assert/strict";
import { test } from "node:test";

import { styleOf } from "../../chidori_actors/console/static/js/timeline/bars.js";
import { linesOf } from "../../chidori_actors/console/static/js/timeline/words.js";

const CALL = { seq: 1, path: "1", function: "log", label: "a", state: "done", recorded: true, begin_ms: 0, end_ms: 5, wait_ms: 0, row: 0, open_question: false };
const MERGED = { merged: 3, first_seq: 1, last_seq: 3, state: "done", recorded: true, begin_ms: 0, end_ms: 5, row: 0 };

test("recorded calls, merged ones too, are drawn and told as such", () => {
  for (const bar of [CALL, MERGED]) {
    assert.equal(styleOf(bar), "recorded");
    assert.equal(styleOf({ ...bar, recorded: false }), "done");
    assert.equal(styleOf({ ...bar, state: "failed" }), "failed");
    assert.ok(linesOf(bar, 0, 5).some((line) => line.endsWith(", recorded")));
    assert.ok(!linesOf({ ...bar, recorded: false }, 0, 5).some((line) => line.includes("recorded")));
  }
});
