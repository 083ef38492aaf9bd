// Which call lies under a point, and which is next to another.

import { msAt, perPixel } from "./scale.js";
import { endOf, seqOf } from "./bars.js";
import { LANE_PAD, ROW_GAP, rowHeight } from "./lanes.js";

/** @typedef {import("./bars.js").AnyBar} Bar */
/** @typedef {import("./scale.js").View} View */
/** @typedef {import("./windows.js").Segment} Segment */
/** @typedef {import("./windows.js").WindowCache} WindowCache */
/** @typedef {import("./lanes.js").LaneGeometry} LaneGeometry */
/** @typedef {{lane: number, bar: Bar}} Place */

/** Pixels beside a bar that still count as on it: short calls are thinner than a pointer is exact. */
const REACH = 3;


/**
 * @param {WindowCache} cache @param {LaneGeometry} geometry @param {View} view @param {number} now
 * @param {number} x @param {number} y from the top of the first lane @returns {Place | null}
 */
export function barAt(cache, geometry, view, now, x, y) {
  if (y < 0 || y >= geometry.total) return null;
  const lane = geometry.at(y);
  const row = rowAt(y - geometry.top(lane), geometry.rows(lane));
  const ms = msAt(view, x);
  const reach = REACH * perPixel(view);
  let best = null;
  let least = Infinity;
  for (const bar of barsOf(cache.segments(lane, view))) {
    if (Math.min(bar.row, geometry.rows(lane) - 1) !== row) continue;
    const away = Math.max(bar.begin_ms - ms, ms - endOf(bar, now), 0);
    if (away <= reach && away < least) [best, least] = [bar, away];
  }
  return best && { lane, bar: best };
}

/** @param {number} y from the lane's top @param {number} rows */
function rowAt(y, rows) {
  const row = Math.floor((y - LANE_PAD + ROW_GAP / 2) / (rowHeight(rows) + ROW_GAP));
  return Math.min(rows - 1, Math.max(0, row));
}

/**
 * The bars of a lane in the order of their begin, each once.
 * @param {Segment[]} segments @returns {Bar[]}
 */
export function barsOf(segments) {
  if (segments.length === 1) return segments[0].bars;
  /** @type {Bar[]} */
  const found = [];
  const seen = new Set();
  for (const { bars, from, to } of segments) {
    for (const bar of bars) {
      if (bar.begin_ms >= to || (bar.end_ms ?? Infinity) < from) continue;
      const key = "merged" in bar ? `${bar.first_seq}-${bar.last_seq}` : bar.seq;
      if (!seen.has(key)) found.push(bar);
      seen.add(key);
    }
  }
  return found.sort(before);
}

/** @param {Bar} a @param {Bar} b */
const before = (a, b) => a.begin_ms - b.begin_ms || seqOf(a) - seqOf(b);

/**
 * The call after (or before) another in its lane; null at the end of what is at hand.
 * @param {Bar[]} bars @param {Bar} from @param {1 | -1} step @returns {Bar | null}
 */
export function neighbour(bars, from, step) {
  const sorted = [...bars].sort(before);
  if (step > 0) return sorted.find((bar) => before(bar, from) > 0) ?? null;
  return sorted.findLast((bar) => before(bar, from) < 0) ?? null;
}

/** @param {Bar[]} bars @param {number} ms @param {number} now @returns {Bar | null} the one nearest to a time */
export function nearest(bars, ms, now) {
  let best = null;
  let least = Infinity;
  for (const bar of bars) {
    const away = Math.max(bar.begin_ms - ms, ms - endOf(bar, now), 0);
    if (away < least) [best, least] = [bar, away];
  }
  return best;
}
