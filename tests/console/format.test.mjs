import assert from "node:assert/strict";
import test from "node:test";

import { ago, bytes, clip, count, counted, duration, exactTime, machineTime, oneLine, shortId, tokens } from "../../chidori_actors/console/static/js/format.js";

test("durations have the unit that fits", () => {
  const said = [
    [null, "–"],
    [-3, "0 ms"],
    [0, "0 ms"],
    [0.48, "480 µs"],
    [12.4, "12 ms"],
    [999.4, "999 ms"],
    [999.7, "1 s"],
    [3200, "3.2 s"],
    [3210, "3.21 s"],
    [12_340, "12.3 s"],
    [59_990, "1 min"],
    [60_000, "1 min"],
    [245_000, "4 min 5 s"],
    [3_599_900, "1 h"],
    [7_800_000, "2 h 10 min"],
    [273_600_000, "3 d 4 h"],
  ];
  assert.deepEqual(said.map(([ms]) => duration(ms)), said.map(([, text]) => text));
});

test("what is long ago has a date", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  assert.equal(ago(now - 1000, now), "just now");
  assert.equal(ago(now + 90_000, now), "just now");
  assert.equal(ago(now - 42_000, now), "42 s ago");
  assert.equal(ago("2026-03-01T11:00:00.000Z", now), "1 h ago");
  assert.match(ago("2025-12-01T12:00:00Z", now), /^Dec \d+, 2025$/);
  assert.equal(ago(null, now), "–");
});

test("what is no time is said to be none", () => {
  assert.equal(exactTime("soon"), "–");
  assert.equal(machineTime(undefined), "");
  assert.equal(machineTime(0), "1970-01-01T00:00:00.000Z");
});

test("numbers, sizes and tokens", () => {
  assert.equal(count(10_000), "10,000");
  assert.equal(counted(1, "call"), "1 call");
  assert.equal(counted(0, "reply", "replies"), "0 replies");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(5_100_000), "5.1 MB");
  assert.equal(tokens(null, null), "");
  assert.equal(tokens(1200, null), "1.2K in · 0 out");
});

test("a text is clipped between characters", () => {
  assert.equal(clip("abcdef", 6), "abcdef");
  assert.equal(clip("abcdef", 4), "abc…");
  assert.equal(clip("ab😀cd", 4), "ab…");
  assert.equal(oneLine("  a\n\n b\tc "), "a b c");
  assert.equal(shortId("0198f3aa-1111-7222-8333-000000000001"), "0198f3aa");
  assert.equal(shortId("nightly.7"), "nightly.7");
});
