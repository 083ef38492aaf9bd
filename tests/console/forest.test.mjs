import assert from "node:assert/strict";
import test from "node:test";

import { treeMove, treeRows } from "../../chidori_actors/console/static/js/history/forest.js";

/** A run with forks. */
function run(id, ...forks) {
  return { id, status: "completed", forks };
}

const FAMILY = run("a", run("b", run("c"), run("d")), run("e"));

test("the rows are in the order of reading, with level and place among siblings", () => {
  const rows = treeRows(FAMILY, new Set());
  assert.deepEqual(
    rows.map((row) => [row.node.id, row.level, row.position, row.siblings, row.parentId, row.expanded]),
    [
      ["a", 1, 1, 1, null, true],
      ["b", 2, 1, 2, "a", true],
      ["c", 3, 1, 2, "b", null],
      ["d", 3, 2, 2, "b", null],
      ["e", 2, 2, 2, "a", null],
    ],
  );
});

test("a collapsed run hides its forks only", () => {
  assert.deepEqual(treeRows(FAMILY, new Set(["b"])).map((row) => row.node.id), ["a", "b", "e"]);
});

test("a chain of 5,000 forks is read", () => {
  let chain = run("last");
  for (let depth = 0; depth < 5000; depth++) chain = run(`r${depth}`, chain);
  assert.equal(treeRows(chain, new Set()).length, 5001);
});

test("arrow keys lead through the tree", () => {
  const rows = treeRows(FAMILY, new Set());
  assert.deepEqual(treeMove(rows, "b", "ArrowDown"), { focus: "c" });
  assert.deepEqual(treeMove(rows, "b", "ArrowUp"), { focus: "a" });
  assert.equal(treeMove(rows, "a", "ArrowUp"), null);
  assert.equal(treeMove(rows, "e", "ArrowDown"), null);
  assert.deepEqual(treeMove(rows, "c", "Home"), { focus: "a" });
  assert.deepEqual(treeMove(rows, "a", "End"), { focus: "e" });
  assert.deepEqual(treeMove(rows, "b", "ArrowRight"), { focus: "c" });
  assert.deepEqual(treeMove(rows, "b", "ArrowLeft"), { collapse: "b" });
  assert.deepEqual(treeMove(rows, "d", "ArrowLeft"), { focus: "b" });
  assert.equal(treeMove(rows, "d", "ArrowRight"), null);
  assert.equal(treeMove(rows, "d", "x"), null);
  assert.equal(treeMove(rows, "gone", "ArrowDown"), null);
  assert.deepEqual(treeMove(treeRows(FAMILY, new Set(["b"])), "b", "ArrowRight"), { expand: "b" });
});
