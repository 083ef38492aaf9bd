// Brings the model onto the page: the canvas, the labels of the visible lanes, the frame in the overview, the cursor.

import { AXIS_HEIGHT, paintAxis, paintGrid } from "./axis.js";
import { endOf } from "./bars.js";
import { barAt } from "./hit.js";
import { LANE_PAD, ROW_GAP, rowHeight } from "./lanes.js";
import { paintLanes } from "./paint.js";
import { perPixel, xOf } from "./scale.js";
import { readTheme } from "./theme.js";
import { Tip } from "./tip.js";

/** @typedef {import("./hit.js").Place} Place */

const SLOWEST_FRAME_MS = 250;
const STILL_MS = 1000;

export class TimelineRenderer {
  /** @type {number | null} the call whose detail is open */
  selected = null;
  /** Pixels that the lanes have. */
  height = 0;
  /** @type {{x: number, y: number} | null} */
  #pointer = null;
  /** @type {import("./theme.js").Theme | null} */
  #theme = null;
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {ReturnType<import("./frame.js").buildFrame>} parts @param {import("./model.js").TimelineModel} model
   * @param {import("./cursor.js").Cursor} cursor @param {import("./labels.js").LaneLabels} labels
   * @param {import("./overview.js").Overview} overview @param {() => void} tick  the clock moved what is visible
   */
  constructor(parts, model, cursor, labels, overview, tick) {
    this.parts = parts;
    this.model = model;
    this.cursor = cursor;
    this.labels = labels;
    this.overview = overview;
    this.tick = tick;
    this.tip = new Tip(parts.tip);
  }

  /** Reads the colours anew. @param {Element} element */
  restyle(element) {
    this.#theme = readTheme(element);
    this.paintOverview();
    this.draw();
  }

  /** Takes the size that the page gives. */
  resize() {
    const { plot, scroll, canvas, sticky } = this.parts;
    this.height = Math.max(0, scroll.clientHeight - AXIS_HEIGHT);
    sticky.style.height = `${scroll.clientHeight}px`;
    canvas.width = Math.round(plot.clientWidth * devicePixelRatio);
    canvas.height = Math.round(scroll.clientHeight * devicePixelRatio);
    this.model.resize(plot.clientWidth);
  }

  /** Draws with the next frame. */
  draw() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
  }

  paintOverview() {
    if (this.#theme) this.overview.paint(this.model, this.#theme, this.parts.overview.clientWidth, devicePixelRatio);
  }

  /** @returns {{first: number, last: number}} the lanes that are in part visible */
  visible() {
    const { geometry } = this.model;
    const { scrollTop } = this.parts.scroll;
    return { first: geometry.at(scrollTop), last: geometry.at(scrollTop + this.height) };
  }

  /** @param {{x: number, y: number}} point in the plot @returns {Place | null} */
  placeAt({ x, y }) {
    if (y < AXIS_HEIGHT) return null;
    const { cache, geometry, view, now } = this.model;
    return barAt(cache, geometry, view, now, x, y - AXIS_HEIGHT + this.parts.scroll.scrollTop);
  }

  /** @param {{x: number, y: number} | null} point  where the pointer is */
  hover(point) {
    this.#pointer = point;
    const place = point && this.placeAt(point);
    this.parts.plot.classList.toggle("over", place !== null);
    if (place && point) this.tip.show(place.bar, this.model, this.parts.plot.getBoundingClientRect(), point);
    else this.tip.hide();
    this.draw();
  }

  #paint() {
    this.#frame = 0;
    const { model, parts } = this;
    if (!this.#theme || !model.head) return;
    performance.mark("timeline-frame");
    model.advance();
    const scroll = parts.scroll.scrollTop;
    const { first, last } = this.visible();
    this.#paintCanvas(first, last, scroll);
    this.labels.show(model, first, last, scroll, this.cursor.place?.lane ?? null);
    this.overview.mark(model, scroll, this.height);
    this.#placeCursor(scroll);
    parts.follow.setAttribute("aria-pressed", String(model.mode === "follow"));
    parts.fit.setAttribute("aria-pressed", String(model.mode === "fit"));
    performance.measure("timeline-frame", "timeline-frame");
    performance.clearMarks("timeline-frame");
    this.#keepGoing();
  }

  /** @param {number} first @param {number} last @param {number} scroll */
  #paintCanvas(first, last, scroll) {
    const context = this.parts.canvas.getContext("2d");
    const theme = this.#theme;
    if (!context || !theme) return;
    const { view, cache, geometry, now, live, started } = this.model;
    const { height, selected } = this;
    const hover = this.#pointer ? this.placeAt(this.#pointer) : null;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = theme.page;
    context.fillRect(0, 0, view.width, height + AXIS_HEIGHT);
    paintGrid(context, view, theme, started, height + AXIS_HEIGHT);
    context.translate(0, AXIS_HEIGHT);
    paintLanes(context, { view, cache, geometry, theme, first, last, scroll, height, now, live, hover, selected });
    context.translate(0, -AXIS_HEIGHT);
    paintAxis(context, view, theme, started, this.#pointer?.x ?? null);
  }

  /** While something runs its bar grows: as often as that shows on the page, and not while nobody sees it. */
  #keepGoing() {
    if (!this.model.live || document.hidden || this.#timer !== undefined) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const wait = still ? STILL_MS : Math.min(SLOWEST_FRAME_MS, perPixel(this.model.view) / 2);
    if (wait < 17) return this.draw();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.tick();
    }, wait);
  }

  /** Lays the focusable element over the call that the keyboard is at. @param {number} scroll */
  #placeCursor(scroll) {
    const { cursor } = this.parts;
    const { place } = this.cursor;
    const { geometry, view, now } = this.model;
    if (!place) return;
    const rows = geometry.rows(place.lane);
    const height = rowHeight(rows);
    const row = Math.min(place.bar.row, rows - 1);
    const top = AXIS_HEIGHT + geometry.top(place.lane) - scroll + LANE_PAD + row * (height + ROW_GAP);
    const left = Math.max(-4, xOf(view, place.bar.begin_ms));
    const right = Math.min(view.width + 4, xOf(view, endOf(place.bar, now)));
    cursor.style.transform = `translate(${left - 2}px, ${top - 2}px)`;
    cursor.style.width = `${Math.max(6, right - left + 4)}px`;
    cursor.style.height = `${height + 4}px`;
    cursor.classList.toggle("away", top < AXIS_HEIGHT || right < 0 || left > view.width);
  }
}
