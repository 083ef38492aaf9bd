import assert from "node:assert/strict";
import { test } from "node:test";
import { Pages } from "../../chidori_actors/console/static/js/run/pages.js";
import { Latest } from "../../chidori_actors/console/static/js/run/pulse.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

function pages(total) {
  const asked = [];
  const faults = [];
  const get = async (offset, limit) => {
    asked.push(offset);
    if (total === null) throw new Error("offline");
    return { rows: Array.from({ length: Math.min(limit, total - offset) }, (_, n) => offset + n), total };
  };
  return { made: new Pages(100, get, () => {}, (fault) => faults.push(fault.message)), asked, faults };
}

test("only the pages of visible rows are fetched, each once", async () => {
  const { made, asked } = pages(10_000);
  made.need(0, 40);
  made.need(0, 40);
  await turn();
  made.need(5_080, 5_120);
  await turn();
  assert.deepEqual(asked, [0, 5000, 5100]);
  assert.equal(made.row(5_110), 5_110);
  assert.equal(made.row(7_000), undefined);
  assert.equal(made.total, 10_000);
});

test("nothing beyond the end is asked for", async () => {
  const { made, asked } = pages(30);
  made.need(0, 90);
  await turn();
  made.need(0, 500);
  await turn();
  assert.deepEqual(asked, [0]);
});

test("rows stay until newer ones are there", async () => {
  const { made, asked } = pages(50);
  made.need(0, 10);
  await turn();
  made.renew();
  assert.equal(made.row(3), 3);
  made.need(0, 10);
  await turn();
  assert.deepEqual(asked, [0, 0]);
  made.clear();
  assert.equal(made.row(3), undefined);
});

test("a page that could not be had is asked for again", async () => {
  const { made, asked, faults } = pages(null);
  made.need(0, 10);
  await turn();
  made.need(0, 10);
  await turn();
  assert.deepEqual([asked, faults], [[0, 0], ["offline", "offline"]]);
});

test("what was asked for during a task runs once after it", async () => {
  const ends = [];
  const latest = new Latest(() => new Promise((resolve) => ends.push(resolve)));
  void latest.ask();
  void latest.ask();
  void latest.ask();
  assert.equal(ends.length, 1);
  ends[0]();
  await turn();
  assert.equal(ends.length, 2);
  ends[1]();
  await turn();
  assert.equal(ends.length, 2);
  void latest.ask();
  assert.equal(ends.length, 3);
});
