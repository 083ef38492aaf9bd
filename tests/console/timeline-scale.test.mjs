import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp, fit, msAt, offsetLabel, panBy, reveal, ticks, xOf, zoomAt } from "../../chidori_actors/console/static/js/timeline/scale.js";

const RUN = { from: 1_000_000, to: 1_060_000 };
const WHOLE = fit(RUN, 1000);

test("a pixel and its time lead to each other", () => {
  assert.ok(Math.abs(msAt(WHOLE, xOf(WHOLE, 1_033_333)) - 1_033_333) < 1e-6);
  assert.ok(xOf(WHOLE, RUN.from) > 0 && xOf(WHOLE, RUN.to) < WHOLE.width);
});

test("a zoom keeps the time under the pointer", () => {
  const view = zoomAt(WHOLE, 4, 250, RUN);
  assert.ok(Math.abs(msAt(view, 250) - msAt(WHOLE, 250)) < 1e-6);
  assert.ok(Math.abs((view.to - view.from) * 4 - (WHOLE.to - WHOLE.from)) < 1e-6);
});

test("no zoom shows less than 20 ms or more than the run with its margin", () => {
  assert.equal(zoomAt(WHOLE, 1e9, 500, RUN).to - zoomAt(WHOLE, 1e9, 500, RUN).from, 20);
  const out = zoomAt(zoomAt(WHOLE, 8, 900, RUN), 1e-9, 10, RUN);
  assert.deepEqual([out.from, out.to].map(Math.round), [WHOLE.from, WHOLE.to].map(Math.round));
});

test("panning stops at both ends of the run", () => {
  const close = zoomAt(WHOLE, 10, 500, RUN);
  const left = panBy(close, -1e9, RUN);
  const right = panBy(close, 1e9, RUN);
  assert.ok(left.from <= RUN.from && left.from > RUN.from - 4000);
  assert.ok(right.to >= RUN.to && right.to < RUN.to + 4000);
  assert.equal(Math.round(right.to - right.from), Math.round(close.to - close.from));
});

test("a run of no length can be shown", () => {
  const view = fit({ from: 5, to: 5 }, 100);
  assert.ok(view.to - view.from >= 20);
  assert.ok(clamp(view, { from: 5, to: 5 }).to > 5);
});

test("what is visible already is not moved, what is not comes in", () => {
  const close = zoomAt(WHOLE, 10, 500, RUN);
  const inside = { from: close.from + 1000, to: close.from + 1500 };
  assert.equal(reveal(close, inside, RUN, false), close);
  const far = reveal(close, { from: 1_050_000, to: 1_050_100 }, RUN, false);
  assert.ok(far.from < 1_050_000 && 1_050_100 < far.to);
  assert.equal(Math.round(far.to - far.from), Math.round(close.to - close.from));
  const zoomed = reveal(WHOLE, { from: 1_010_000, to: 1_010_100 }, RUN, true);
  assert.ok(zoomed.to - zoomed.from < 200);
});

test("ticks are round, apart from each other and begin at the start of the run", () => {
  for (const factor of [1, 3, 10, 100, 1000]) {
    const view = zoomAt(WHOLE, factor, 300, RUN);
    const found = ticks(view, RUN.from);
    for (let n = 1; n < found.length; n++) assert.ok(found[n].x - found[n - 1].x >= 88 - 1e-6);
    assert.equal(new Set(found.map((tick) => tick.label)).size, found.length, found.map((tick) => tick.label).join());
    assert.ok(found.length > 0);
  }
  assert.equal(ticks(WHOLE, RUN.from)[0].label, "0");
});

test("distances read as people say them", () => {
  const labels = [
    [0, 1, "0"],
    [250, 50, "250 ms"],
    [1500, 100, "1.5 s"],
    [42_000, 2000, "42 s"],
    [90_000, 30_000, "1:30"],
    [120_000, 60_000, "2 min"],
    [65_250, 10, "1:05.25"],
    [3_723_000, 1000, "1:02:03"],
    [7_200_000, 3_600_000, "2:00 h"],
    [86_400_000 * 3, 86_400_000, "3 d"],
    [86_400_000 + 3_600_000, 3_600_000, "1 d 1:00 h"],
  ];
  for (const [ms, step, label] of labels) assert.equal(offsetLabel(ms, step), label);
});
