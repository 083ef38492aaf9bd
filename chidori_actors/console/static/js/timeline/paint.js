// Draws one frame of the lanes. Everything is drawn by state, so that the canvas changes its colours a few times a frame.

import { LANE_PAD, ROW_GAP, rowHeight } from "./lanes.js";
import { drawConnectors } from "./connectors.js";
import { STYLES } from "./theme.js";
import { xOf } from "./scale.js";
import { endOf, isMerged, styleOf } from "./bars.js";

/** @typedef {import("./bars.js").AnyBar} Bar */
/** @typedef {import("./theme.js").Style} Style */
/** @typedef {import("./theme.js").Theme} Theme */

/**
 * @typedef {object} Frame
 * @property {import("./scale.js").View} view
 * @property {import("./windows.js").WindowCache} cache
 * @property {import("./lanes.js").LaneGeometry} geometry
 * @property {Theme} theme
 * @property {number} first  visible lanes
 * @property {number} last
 * @property {number} scroll  pixels above the first visible one
 * @property {number} height
 * @property {number} now
 * @property {boolean} live
 * @property {{lane: number, bar: Bar} | null} hover
 * @property {number | null} selected  the call whose detail is open
 */

/** @typedef {{x: number, y: number, w: number, h: number, bar: Bar, cut: boolean}} Box  `cut`: it goes on in the next segment */

const ROUND = 3;
const POINTER = 6;
/** From this width on a bar has corners, from the next one words. */
const CORNERS = 6;
const WORDS = 34;
/** A little more than the mean width of a letter of the font below: words are cut before they leave their bar. */
const LETTER = 6.1;

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
export function paintLanes(context, frame) {
  paintGround(context, frame);
  drawConnectors(context, frame);
  const boxes = layOut(frame);
  for (const style of STYLES) paintBars(context, frame, style, boxes[style]);
  paintWords(context, frame, boxes);
  paintMarks(context, frame, boxes);
  paintOutlines(context, frame, boxes);
  paintPointers(context, frame);
  paintNow(context, frame);
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function paintGround(context, frame) {
  const { view, theme, geometry, cache, scroll } = frame;
  for (let index = frame.first; index <= frame.last; index++) {
    const top = geometry.top(index) - scroll;
    const height = geometry.height(index);
    const hovered = frame.hover?.lane === index;
    if (hovered || index % 2 === 1) {
      context.fillStyle = hovered ? theme.hover : theme.stripe;
      context.fillRect(0, top, view.width, height);
    }
    const lane = cache.lane(index);
    if (!lane) continue;
    const x = Math.max(0, xOf(view, lane.begin_ms));
    const end = Math.min(view.width, xOf(view, lane.end_ms ?? frame.now));
    context.fillStyle = theme.extent;
    if (end > x) context.fillRect(x, top + 3, end - x, height - 6);
  }
}

/** The bars that are visible, with their places. @param {Frame} frame @returns {Record<Style, Box[]>} */
function layOut(frame) {
  const { view, geometry, cache, scroll, now } = frame;
  /** @type {Record<Style, Box[]>} */
  const boxes = { done: [], recorded: [], cancelled: [], running: [], waiting: [], failed: [] };
  for (let index = frame.first; index <= frame.last; index++) {
    const rows = geometry.rows(index);
    const h = rowHeight(rows);
    const top = geometry.top(index) - scroll + LANE_PAD;
    for (const segment of cache.segments(index, view)) {
      const left = xOf(view, segment.from);
      const right = xOf(view, segment.to);
      for (const bar of segment.bars) {
        const x = Math.max(left, xOf(view, bar.begin_ms));
        const whole = xOf(view, endOf(bar, now));
        const end = Math.min(right, whole);
        if (x > right || end < left) continue;
        const y = top + Math.min(bar.row, rows - 1) * (h + ROW_GAP);
        boxes[styleOf(bar)].push({ x, y, w: Math.max(1.5, end - x - 0.5), h, bar, cut: end < whole });
      }
    }
  }
  return boxes;
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {Style} style @param {Box[]} boxes */
function paintBars(context, frame, style, boxes) {
  const { fill, line } = frame.theme.bars[style];
  context.fillStyle = fill;
  for (const { x, y, w, h } of boxes) {
    if (w < CORNERS) context.fillRect(x, y, w, h);
    else {
      context.beginPath();
      context.roundRect(x, y, w, h, ROUND);
      context.fill();
    }
  }
  paintEdges(context, style, line, boxes);
  paintQueues(context, frame, boxes);
}

/**
 * What tells the states apart without their colours: recorded bars are framed, cancelled ones struck through, merged
 * ones stand on a thick line, running ones are open to the right.
 * @param {CanvasRenderingContext2D} context @param {Style} style @param {string} line @param {Box[]} boxes
 */
function paintEdges(context, style, line, boxes) {
  context.fillStyle = context.strokeStyle = line;
  context.lineWidth = 1;
  for (const { x, y, w, h, bar, cut } of boxes) {
    if (isMerged(bar)) context.fillRect(x, y + h - 3, w, 3);
    else if (style === "running" && !cut) context.fillRect(x + w - 2, y - 2, 2, h + 4);
    else if (style === "cancelled" && w >= 3) context.fillRect(x, y + h / 2 - 0.5, w, 1);
    if (w < CORNERS || (style !== "recorded" && style !== "cancelled" && style !== "waiting")) continue;
    context.beginPath();
    context.roundRect(x + 0.5, y + 0.5, w - 1, h - 1, ROUND);
    context.stroke();
  }
}

/** The part of a call that it waited for its turn. @param {CanvasRenderingContext2D} context @param {Frame} frame @param {Box[]} boxes */
function paintQueues(context, frame, boxes) {
  const scale = frame.view.width / (frame.view.to - frame.view.from);
  context.fillStyle = frame.theme.queue;
  for (const { x, y, w, h, bar } of boxes) {
    if (isMerged(bar) || bar.wait_ms * scale < 2 || bar.state === "waiting") continue;
    const begin = xOf(frame.view, bar.begin_ms);
    const part = Math.min(x + w, begin + bar.wait_ms * scale) - x;
    if (part > 1) context.fillRect(x, y + h - 4, part, 4);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {Record<Style, Box[]>} boxes */
function paintWords(context, frame, boxes) {
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.font = `11px ${frame.theme.font}`;
  for (const style of STYLES) {
    context.fillStyle = frame.theme.bars[style].text;
    const inset = style === "failed" || style === "waiting" ? 17 : 6;
    for (const { x, y, w, h, bar } of boxes[style]) {
      if (w < WORDS || h < 11) continue;
      const letters = Math.floor((w - inset - 4) / LETTER);
      const words = isMerged(bar) ? `×${bar.merged}` : bar.label ? `${bar.function} · ${bar.label}` : bar.function;
      if (letters < 3) continue;
      const text = words.length > letters ? `${words.slice(0, letters - 1)}…` : words;
      context.fillText(text, x + inset, y + h / 2 + 0.5, w - inset - 3);
    }
  }
}

/**
 * Failed and waiting calls keep a mark of full size, however short they are.
 * @param {CanvasRenderingContext2D} context @param {Frame} frame @param {Record<Style, Box[]>} boxes
 */
function paintMarks(context, frame, boxes) {
  const { failed, waiting } = frame.theme.bars;
  for (const { x, y, w, h } of boxes.failed) {
    const inside = w >= 15;
    const [cx, cy, r] = inside ? [x + 9, y + h / 2, 3] : [x + w / 2, y + h / 2, 3.5];
    // A bar thinner than its mark: the mark is set off from whatever lies beside it.
    if (!inside) {
      context.fillStyle = frame.theme.page;
      context.fillRect(cx - 5.5, cy - 5.5, 11, 11);
    }
    context.lineWidth = inside ? 1.75 : 2.25;
    context.strokeStyle = inside ? failed.text : failed.line;
    context.beginPath();
    context.moveTo(cx - r, cy - r);
    context.lineTo(cx + r, cy + r);
    context.moveTo(cx + r, cy - r);
    context.lineTo(cx - r, cy + r);
    context.stroke();
  }
  for (const { x, y, w, h } of boxes.waiting) {
    const inside = w >= 15;
    const cx = inside ? x + 9 : x + w / 2;
    context.fillStyle = inside ? waiting.text : waiting.line;
    context.fillRect(cx - 3, y + h / 2 - 4, 2.25, 8);
    context.fillRect(cx + 1, y + h / 2 - 4, 2.25, 8);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {Record<Style, Box[]>} boxes */
function paintOutlines(context, frame, boxes) {
  const { hover, selected, theme } = frame;
  context.strokeStyle = theme.text;
  for (const style of STYLES) {
    for (const { x, y, w, h, bar } of boxes[style]) {
      const chosen = selected !== null && !isMerged(bar) && bar.seq === selected;
      if (!chosen && bar !== hover?.bar) continue;
      context.lineWidth = chosen ? 2 : 1.25;
      context.beginPath();
      context.roundRect(x - 1, y - 1, w + 2, h + 2, ROUND + 1);
      context.stroke();
    }
  }
}

/**
 * An arrow at the edge of a lane whose calls all lie beyond it.
 * @param {CanvasRenderingContext2D} context @param {Frame} frame
 */
function paintPointers(context, frame) {
  const { view, theme, geometry, cache, scroll, now } = frame;
  context.fillStyle = theme.muted;
  context.beginPath();
  for (let index = frame.first; index <= frame.last; index++) {
    const lane = cache.lane(index);
    if (!lane) continue;
    const earlier = (lane.end_ms ?? now) < view.from;
    if (!earlier && lane.begin_ms <= view.to) continue;
    const [x, reach] = earlier ? [POINTER + 4, -POINTER] : [view.width - POINTER - 4, POINTER];
    const y = geometry.top(index) - scroll + LANE_PAD + rowHeight(geometry.rows(index)) / 2;
    context.moveTo(x, y - POINTER + 1);
    context.lineTo(x + reach, y);
    context.lineTo(x, y + POINTER - 1);
  }
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
function paintNow(context, frame) {
  if (!frame.live) return;
  const x = Math.round(xOf(frame.view, frame.now));
  context.fillStyle = frame.theme.now;
  context.fillRect(x, 0, 1.5, frame.height);
}
