import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursor } from "../../chidori_actors/console/static/js/timeline/cursor.js";
import { barAt, barsOf, nearest, neighbour } from "../../chidori_actors/console/static/js/timeline/hit.js";
import { LANE_PAD, LaneGeometry, laneHeight, rowHeight } from "../../chidori_actors/console/static/js/timeline/lanes.js";
import { TimelineModel } from "../../chidori_actors/console/static/js/timeline/model.js";
import { MOST_LANES, WindowCache, around } from "../../chidori_actors/console/static/js/timeline/windows.js";

const bar = (seq, begin_ms, end_ms, row = 0) => ({
  ...{ seq, path: String(seq), function: "prompt", label: "", state: "done", recorded: false },
  ...{ begin_ms, end_ms, wait_ms: 0, row, open_question: false },
});
const merged = (first_seq, last_seq, begin_ms, end_ms) => ({ merged: last_seq - first_seq + 1, first_seq, last_seq, state: "done", recorded: false, begin_ms, end_ms, row: 0 });
const lane = (path, bars) => ({
  ...{ path, kind: path ? "branch" : "root", name: path, depth: path ? 1 : 0, parent_path: path ? "" : null, parent_seq: null },
  ...{ index: 0, state: "done", begin_ms: 0, end_ms: 1000, call_count: bars.length, bars },
});
const answer = (lanes, more = {}) => ({
  ...{ version: "1", unchanged: false, status: "completed", live: false, started_ms: 0, now_ms: 1000, lane_count: lanes.length, call_count: 9 },
  ...{ counts: { running: 0, waiting: 0, done: 9, failed: 0, cancelled: 0, recorded: 0 }, lanes, ...more },
});
const VIEW = { from: 0, to: 1000, width: 100 };

test("lanes lie below each other, each as high as its rows", () => {
  const geometry = new LaneGeometry();
  geometry.resize(500);
  geometry.grow(3, 4);
  geometry.grow(3, 2);
  assert.equal(geometry.top(3), 3 * laneHeight(1));
  assert.equal(geometry.top(4), 3 * laneHeight(1) + laneHeight(4));
  assert.equal(geometry.total, 499 * laneHeight(1) + laneHeight(4));
  for (const index of [0, 1, 3, 4, 250, 499]) {
    assert.equal(geometry.at(geometry.top(index)), index);
    assert.equal(geometry.at(geometry.top(index) + geometry.height(index) - 1), index);
  }
  assert.equal(geometry.at(1e9), 499);
});

test("lanes keep their heights when others come", () => {
  const geometry = new LaneGeometry();
  geometry.resize(2);
  geometry.grow(1, 3);
  geometry.resize(4);
  assert.deepEqual([0, 1, 2, 3].map((index) => geometry.rows(index)), [1, 3, 1, 1]);
});

test("a window is asked for once, and again when the page is closer or the run changed", () => {
  const cache = new WindowCache();
  const lanes = [lane("", [merged(1, 9, 0, 1000)])];
  cache.version = "1";
  cache.laneCount = 1;
  const window = cache.missing(0, 0, VIEW);
  assert.ok(window && window.from <= 0 && window.to >= 1000);
  cache.add(window, answer(lanes));
  assert.equal(cache.missing(0, 0, VIEW), null);
  assert.ok(cache.missing(0, 0, { from: 400, to: 500, width: 100 }), "the bars are too coarse for it");
  cache.version = "2";
  assert.ok(cache.missing(0, 0, VIEW));
});

test("no closer window is asked for when nothing in it is merged", () => {
  const cache = new WindowCache();
  cache.add(around(0, 0, VIEW), answer([lane("", [bar(1, 0, 400), bar(2, 500, 900)])]));
  assert.equal(cache.missing(0, 0, { from: 400, to: 410, width: 100 }), null);
});

test("a window is never larger than the server gives", () => {
  assert.equal(around(0, 5000, VIEW).count, MOST_LANES);
  assert.equal(around(3, 9, VIEW).first, 0);
});

test("what is not at hand as exact as wanted is drawn from what is", () => {
  const cache = new WindowCache();
  const coarse = merged(1, 9, 0, 1000);
  cache.add({ first: 0, count: 1, from: 0, to: 1000, width: 10 }, answer([lane("", [coarse])]), true);
  const exact = bar(4, 420, 440);
  cache.add({ first: 0, count: 1, from: 400, to: 500, width: 100 }, answer([lane("", [exact])]));
  const segments = cache.segments(0, { from: 350, to: 450, width: 100 });
  assert.deepEqual(segments, [
    { bars: [exact], from: 400, to: 450 },
    { bars: [coarse], from: 350, to: 400 },
  ]);
  assert.deepEqual(cache.segments(0, { from: 410, to: 480, width: 70 }).map(({ bars }) => bars), [[exact]]);
  assert.deepEqual(cache.segments(7, VIEW), []);
});

test("an actor that began in between makes all numbers of lanes old", () => {
  const cache = new WindowCache();
  const window = { first: 0, count: 9, from: 0, to: 1000, width: 100 };
  cache.add(window, answer([lane("", []), lane("2/b0", []), lane("5/b0", [])]), true);
  cache.add(window, answer([lane("", []), lane("2/b0", []), lane("2/b1", []), lane("5/b0", [])], { version: "2" }));
  assert.equal(cache.indexOf("2/b1"), 2);
  assert.equal(cache.indexOf("5/b0"), 3);
  assert.equal([...cache.overview].length, 0);
});

test("the call under the pointer is found, also when it is thinner than a pixel", () => {
  const cache = new WindowCache();
  const geometry = new LaneGeometry();
  geometry.resize(2);
  geometry.grow(1, 2);
  const [a, b, c] = [bar(1, 0, 300), bar(2, 100, 101, 0), bar(3, 100, 300, 1)];
  cache.add({ first: 0, count: 2, from: 0, to: 1000, width: 100 }, answer([lane("", [a]), lane("1/b0", [b, c])]));
  const find = (x, y) => barAt(cache, geometry, VIEW, 1000, x, y);
  assert.deepEqual(find(10, LANE_PAD + 2), { lane: 0, bar: a });
  assert.equal(find(50, LANE_PAD + 2), null);
  assert.deepEqual(find(12, geometry.top(1) + LANE_PAD + 2), { lane: 1, bar: b });
  assert.deepEqual(find(12, geometry.top(1) + LANE_PAD + rowHeight(2) + 5), { lane: 1, bar: c });
  assert.equal(find(12, geometry.total + 1), null);
});

test("calls follow each other by their begin, whatever windows they came in", () => {
  const [a, b, c] = [bar(1, 0, 300), bar(2, 100, 120), bar(3, 500, 600)];
  const segments = [
    { bars: [a, b], from: 0, to: 200 },
    { bars: [a, c], from: 200, to: 1000 },
  ];
  const bars = barsOf(segments);
  assert.deepEqual(bars, [a, b, c]);
  assert.equal(neighbour(bars, a, 1), b);
  assert.equal(neighbour(bars, c, -1), b);
  assert.equal(neighbour(bars, c, 1), null);
  assert.equal(nearest(bars, 450, 1000), c);
});

const model = (lanes, more) => {
  const made = new TimelineModel(() => 0);
  made.resize(100);
  made.take({ first: 0, count: 9, from: NaN, to: NaN, width: 100 }, answer(lanes, more), false);
  return made;
};

test("arrow keys go through the calls of a lane and to the nearest one of the next", () => {
  const cursor = new Cursor(model([lane("", [bar(1, 0, 100), bar(2, 600, 700)]), lane("2/b0", []), lane("3/b0", [bar(3, 50, 60), bar(4, 610, 650)])]));
  const seen = ["ArrowRight", "ArrowRight", "ArrowDown", "Home", "End", "ArrowUp", "ArrowRight"].map((key) => (cursor.move(key), cursor.place.bar.seq));
  assert.deepEqual(seen, [1, 2, 4, 3, 4, 2, 2]);
});

test("the cursor finds its call again in a closer window", () => {
  const shown = model([lane("", [merged(1, 9, 0, 1000)])]);
  const cursor = new Cursor(shown);
  cursor.move("ArrowRight");
  assert.equal(cursor.place.bar.merged, 9);
  shown.reveal({ from: 0, to: 100 }, true);
  shown.take({ first: 0, count: 9, from: -10, to: 300, width: 1000 }, answer([lane("", [bar(1, 0, 50), bar(2, 60, 90)])]), false);
  cursor.refresh();
  assert.equal(cursor.place.bar.seq, 1);
});

test("the whole run stays visible while it grows, until somebody looks closer", () => {
  let clock = 0;
  const live = new TimelineModel(() => clock);
  live.resize(100);
  live.take({ first: 0, count: 9, from: NaN, to: NaN, width: 100 }, answer([lane("", [])], { live: true }), false);
  clock = 5000;
  live.advance();
  assert.equal(live.now, 6000);
  assert.ok(live.view.to >= 6000);
  live.zoom(4, 0);
  const { from, to } = live.view;
  clock = 9000;
  live.advance();
  assert.deepEqual([live.mode, live.view.from, live.view.to], ["free", from, to]);
  live.mode = "follow";
  live.advance();
  assert.ok(live.view.from < live.now && live.now < live.view.to);
});

test("a window that reached the present goes on with the clock until there is news", () => {
  const cache = new WindowCache();
  const view = { from: 0, to: 9000, width: 100 };
  const running = { ...bar(1, 100, null), state: "running" };
  cache.add({ first: 0, count: 10, from: -1000, to: 2000, width: 300 }, answer([lane("", [running])], { live: true }));
  assert.deepEqual(cache.segments(0, view).map(({ from, to }) => [from, to]), [[0, 9000]]);
  assert.equal(cache.missing(0, 0, view), null);
  cache.version = "2";
  assert.notEqual(cache.missing(0, 0, view), null);
});
