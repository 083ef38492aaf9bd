// What the timeline shows: the run as far as it is known, the visible time and lanes, and the clock.

import { LaneGeometry } from "./lanes.js";
import { barsOf } from "./hit.js";
import { holds } from "./bars.js";
import { clamp, fit, panBy, perPixel, reveal, zoomAt } from "./scale.js";
import { MOST_LANES, WindowCache } from "./windows.js";

/** @typedef {import("./bars.js").AnyBar} Bar */
/** @typedef {import("../types.js").TimelineView} Timeline */
/** @typedef {import("./windows.js").Window} Window */
/** @typedef {import("./hit.js").Place} Place */
/** `fit` shows all and grows with the run, `follow` keeps the present visible, `free` stays where it is.
 * @typedef {"fit" | "follow" | "free"} Mode */

const OVERVIEW_WIDTH = 320;
const MOST_OVERVIEW_LANES = 2000;
const PRESENT_AT = 0.94;

export class TimelineModel {
  cache = new WindowCache();
  geometry = new LaneGeometry();
  /** @type {import("./scale.js").View} */
  view = { from: 0, to: 1, width: 1 };
  /** @type {Mode} */
  mode = "fit";
  /** @type {Timeline | null} */
  head = null;
  #received = 0;

  /** @param {() => number} clock monotonic, in ms */
  constructor(clock = () => performance.now()) {
    this.clock = clock;
  }

  get started() {
    return this.head?.started_ms ?? 0;
  }

  get live() {
    return this.head?.live ?? false;
  }

  /** @returns {number} the server's time while the run is under way, else its end */
  get now() {
    if (!this.head) return 0;
    return this.live ? this.head.now_ms + this.clock() - this.#received : this.head.now_ms;
  }

  get run() {
    return { from: this.started, to: Math.max(this.started + 1, this.now) };
  }

  /** The run as a whole, without lanes. @param {Timeline} head */
  hear(head) {
    this.head = head;
    this.#received = this.clock();
    this.cache.version = head.version;
    this.geometry.resize(Math.max(1, head.lane_count));
  }

  /** A window that arrived. @param {Window} window @param {Timeline} answer @param {boolean} background */
  take(window, answer, background) {
    this.hear(answer);
    this.cache.add(Number.isNaN(window.from) ? this.#wholeOf(window) : window, answer, background);
    answer.lanes.forEach((lane, offset) => {
      const rows = lane.bars.reduce((most, bar) => Math.max(most, bar.row + 1), 1);
      this.geometry.grow(window.first + offset, rows);
    });
    this.advance();
  }

  /** What a window without times has shown: all of the run, and nothing lies beside it. @param {Window} window @returns {Window} */
  #wholeOf(window) {
    const { from, to } = this.run;
    return { ...window, from: 2 * from - to, to: 2 * to - from, width: 3 * window.width };
  }

  /** Moves the visible time with the clock. */
  advance() {
    if (this.mode === "fit") this.view = fit(this.run, this.view.width);
    else if (this.mode === "follow" && this.live) {
      const span = this.view.to - this.view.from;
      const from = this.now - span * PRESENT_AT;
      this.view = clamp({ from, to: from + span, width: this.view.width }, this.run);
    }
  }

  /** @param {number} width */
  resize(width) {
    this.view = { ...this.view, width: Math.max(1, width) };
    this.advance();
  }

  /** @param {number} factor @param {number} x */
  zoom(factor, x) {
    const at = this.mode === "follow" ? this.view.width * PRESENT_AT : x;
    this.view = zoomAt(this.view, factor, at, this.run);
    if (this.mode === "fit") this.mode = "free";
    const whole = fit(this.run, this.view.width);
    if (factor < 1 && this.view.to - this.view.from >= whole.to - whole.from) this.mode = "fit";
    this.advance();
  }

  /** @param {number} dx @returns {boolean} whether anything moved */
  pan(dx) {
    const { from } = this.view;
    this.view = panBy(this.view, dx, this.run);
    if (this.view.from === from) return false;
    this.mode = "free";
    return true;
  }

  /** @param {import("./scale.js").Span} span @param {boolean} zoom */
  reveal(span, zoom) {
    if (!zoom && this.mode === "fit") return; // all of the run is visible, and stays so while it goes on
    const view = reveal(this.view, span, this.run, zoom);
    if (view.from !== this.view.from || view.to !== this.view.to) this.mode = "free";
    this.view = view;
  }

  /** @param {number} ms the visible time's new middle */
  centre(ms) {
    const half = (this.view.to - this.view.from) / 2;
    if (this.mode === "fit") return;
    this.mode = "free";
    this.view = clamp({ from: ms - half, to: ms + half, width: this.view.width }, this.run);
  }

  /** The calls of a lane from the whole run, as exact as the page shows them. @param {number} lane @returns {Bar[]} */
  barsOfLane(lane) {
    const { from, to } = fit(this.run, 1);
    return barsOf(this.cache.segments(lane, { from, to, width: (to - from) / perPixel(this.view) }));
  }

  /** @param {number} lane @param {number} seq @returns {Place | null} */
  find(lane, seq) {
    const bar = this.barsOfLane(lane).find((each) => holds(each, seq));
    return bar ? { lane, bar } : null;
  }

  /** The windows that show the whole run in low resolution. @returns {Window[]} */
  overview() {
    const { from, to } = fit(this.run, 1);
    const windows = [];
    for (let first = 0; first < Math.min(this.geometry.count, MOST_OVERVIEW_LANES); first += MOST_LANES) {
      windows.push({ first, count: MOST_LANES, from: Math.floor(from), to: Math.ceil(to), width: OVERVIEW_WIDTH });
    }
    return windows;
  }
}
