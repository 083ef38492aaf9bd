// The windows of the timeline that were fetched. What is visible is drawn from the best ones at hand: the exact window
// when it is there, else a coarser or older one, so that scrolling never shows an empty page.

import { perPixel } from "./scale.js";
import { isMerged } from "./bars.js";

/** @typedef {import("./bars.js").AnyBar} Bar */
/** @typedef {import("../types.js").Lane} Lane */
/** @typedef {import("../types.js").TimelineView} Timeline */
/** @typedef {import("./scale.js").View} View */
/** @typedef {{first: number, count: number, from: number, to: number, width: number}} Window */
/** @typedef {{bars: Bar[], from: number, to: number}} Segment  bars to be drawn between two times */

/**
 * @typedef {object} Stored
 * @property {Window} window
 * @property {number} until  where it ends: nowhere when it reached the present, behind which nothing is without news
 * @property {string} version
 * @property {number} laneCount
 * @property {number} perPx
 * @property {boolean} merged  some of its bars stand for several calls
 * @property {number} order
 * @property {Lane[]} lanes
 */

export const MOST_LANES = 200;
const MOST_STORED = 32;
/** A window may be this much coarser than the page before it is fetched again. */
const COARSER = 1.6;
const OVERSCAN_LANES = 24;
const WIDEST = 4000;

export class WindowCache {
  /** @type {Stored[]} newest first */
  #stored = [];
  /** The whole run in low resolution, by first lane. @type {Map<number, Stored>} */
  #overview = new Map();
  /** @type {Lane[]} */
  #known = [];
  /** @type {Map<string, number>} */
  #indexes = new Map();
  #order = 0;
  version = "";
  laneCount = 0;

  /** @param {Window} window @param {Timeline} answer @param {boolean} [overview] */
  add(window, answer, overview = false) {
    if (answer.lane_count !== this.laneCount) this.#renumber(window, answer);
    this.version = answer.version;
    const stored = {
      window: { ...window, count: Math.max(window.count, answer.lanes.length) },
      until: window.to >= answer.now_ms ? Infinity : window.to,
      version: answer.version,
      laneCount: answer.lane_count,
      perPx: (window.to - window.from) / Math.max(1, window.width),
      merged: answer.lanes.some((lane) => lane.bars.some(isMerged)),
      order: ++this.#order,
      lanes: answer.lanes,
    };
    answer.lanes.forEach((lane, offset) => {
      this.#known[window.first + offset] = lane;
      this.#indexes.set(lane.path, window.first + offset);
    });
    if (overview) this.#overview.set(window.first, stored);
    else this.#stored = [stored, ...this.#stored.filter((old) => !replaces(stored, old))].slice(0, MOST_STORED);
  }

  /**
   * An actor that began in between moved the lanes after it: nothing that was numbered before can stay.
   * @param {Window} window @param {Timeline} answer
   */
  #renumber(window, answer) {
    this.laneCount = answer.lane_count;
    const same = answer.lanes.every((lane, offset) => (this.#known[window.first + offset] ?? lane).path === lane.path);
    if (same && this.#known.length <= answer.lane_count) return;
    this.#stored = [];
    this.#overview.clear();
    this.#known = [];
    this.#indexes.clear();
  }

  /** @param {number} index @returns {Lane | undefined} what is known about a lane, its bars aside */
  lane(index) {
    return this.#known[index];
  }

  /** @param {string} path @returns {number | undefined} */
  indexOf(path) {
    return this.#indexes.get(path);
  }

  /** @returns {Iterable<Stored>} */
  get overview() {
    return this.#overview.values();
  }

  /**
   * What to draw of a lane: parts of the visible time, each with the best bars at hand.
   * @param {number} index @param {View} view @returns {Segment[]}
   */
  segments(index, view) {
    /** @type {Segment[]} */
    const found = [];
    let open = [{ from: view.from, to: view.to }];
    for (const stored of this.#bestFirst(index, view)) {
      const { from } = stored.window;
      const bars = stored.lanes[index - stored.window.first]?.bars;
      if (!bars) continue;
      const rest = [];
      for (const gap of open) {
        const begin = Math.max(gap.from, from);
        const end = Math.min(gap.to, stored.until);
        if (begin >= end) {
          rest.push(gap);
          continue;
        }
        found.push({ bars, from: begin, to: end });
        if (gap.from < begin) rest.push({ from: gap.from, to: begin });
        if (end < gap.to) rest.push({ from: end, to: gap.to });
      }
      open = rest;
      if (open.length === 0) break;
    }
    return found;
  }

  /** @param {number} index @param {View} view @returns {Stored[]} */
  #bestFirst(index, view) {
    const enough = perPixel(view) * COARSER;
    const fine = (/** @type {Stored} */ stored) => !stored.merged || stored.perPx <= enough;
    const here = [...this.#stored, ...this.#overview.values()].filter(
      ({ window, until }) =>
        window.first <= index && index < window.first + window.count && window.from < view.to && view.from < until,
    );
    return here.sort((a, b) => {
      if (fine(a) !== fine(b)) return fine(a) ? -1 : 1;
      return fine(a) ? b.order - a.order : a.perPx - b.perPx;
    });
  }

  /**
   * The window to ask for, or null when all that is visible is at hand as exact as the page shows it.
   * @param {number} first @param {number} last visible lanes, inclusive @param {View} view @returns {Window | null}
   */
  missing(first, last, view) {
    const enough = perPixel(view) * COARSER;
    const there = this.#stored.some(
      ({ window, until, version, merged, perPx }) =>
        version === this.version &&
        window.first <= first &&
        Math.min(last, this.laneCount - 1) < window.first + window.count &&
        window.from <= view.from &&
        view.to <= until &&
        (!merged || perPx <= enough),
    );
    return there ? null : around(first, last, view);
  }
}

/**
 * The visible part and some more on each side.
 * @param {number} first @param {number} last @param {View} view @returns {Window}
 */
export function around(first, last, view) {
  const begin = Math.max(0, first - OVERSCAN_LANES);
  const span = view.to - view.from;
  const width = Math.max(1, Math.round(view.width));
  const wide = 2 * width <= WIDEST;
  const more = wide ? span / 2 : 0;
  return {
    first: begin,
    count: Math.min(MOST_LANES, last + OVERSCAN_LANES + 1 - begin),
    from: Math.floor(view.from - more),
    to: Math.ceil(view.to + more),
    width: wide ? 2 * width : width,
  };
}

/** @param {Stored} newer @param {Stored} old  true when nothing of the old one can be of use any more */
function replaces(newer, old) {
  const [a, b] = [newer.window, old.window];
  return (
    a.first <= b.first &&
    b.first + b.count <= a.first + a.count &&
    a.from <= b.from &&
    b.to <= a.to &&
    (newer.perPx <= old.perPx || !newer.merged)
  );
}
