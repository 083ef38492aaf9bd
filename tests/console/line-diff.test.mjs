import assert from "node:assert/strict";
import test from "node:test";

import { commonEnds, diffRows, folded } from "../../chidori_actors/console/static/js/history/line-diff.js";

/** Lines from their text with the mark before it. */
function lines(...texts) {
  return texts.map((text) => ({ op: text[0], text: text.slice(1) }));
}

test("what was removed stands beside what was added in its place", () => {
  const rows = diffRows(lines(" a", "-b", "-c", "+B", " d", "+e"));
  assert.deepEqual(
    rows.map(({ left, right }) => [left?.text ?? null, right?.text ?? null]),
    [
      ["a", "a"],
      ["b", "B"],
      ["c", null],
      ["d", "d"],
      [null, "e"],
    ],
  );
});

test("a removal behind an addition begins another change", () => {
  const rows = diffRows(lines("-a", "+A", "-b", "+B"));
  assert.deepEqual(
    rows.map(({ left, right }) => [left?.text, right?.text]),
    [
      ["a", "A"],
      ["b", "B"],
    ],
  );
});

test("long equal stretches are folded, three lines of context stay", () => {
  const equal = new Array(20).fill("=");
  const parts = folded(["x", ...equal, "y"], (item) => item === "=");
  assert.deepEqual(
    parts.map(({ fold, rows }) => [fold, rows.length]),
    [
      [false, 4],
      [true, 14],
      [false, 4],
    ],
  );
  assert.equal(parts.flatMap((part) => part.rows).length, 22);
});

test("at the ends context is kept on one side only, and short stretches are not folded", () => {
  const isEqual = (item) => item === "=";
  const end = folded(["x", ..."=".repeat(10)], isEqual);
  assert.deepEqual(end.map(({ fold, rows }) => [fold, rows.length]), [[false, 4], [true, 7]]);
  const start = folded([..."=".repeat(10), "x"], isEqual);
  assert.deepEqual(start.map(({ fold, rows }) => [fold, rows.length]), [[true, 7], [false, 4]]);
  assert.equal(folded(["x", ..."=".repeat(9), "y"], isEqual).length, 1);
});

test("when everything is equal nothing is folded", () => {
  assert.deepEqual(folded([..."=".repeat(50)], () => true).map(({ fold }) => fold), [false]);
  assert.deepEqual(folded([], () => true), []);
});

test("the common ends of two lines are found, and left alone when they are short", () => {
  assert.deepEqual(commonEnds('"status": 500,', '"status": 200,'), { start: 10, end: 3 });
  assert.deepEqual(commonEnds("abc", "abcd"), { start: 3, end: 0 });
  assert.equal(commonEnds("    a", "    b"), null);
  assert.equal(commonEnds("one", "two"), null);
});

test("no character is cut into halves", () => {
  const ends = commonEnds("smile 😀 here", "smile 😁 here");
  assert.deepEqual(ends, { start: 6, end: 5 });
});
