// The lines from a call that contains actors down to their lanes.

import { xOf } from "./scale.js";
import { holds } from "./bars.js";
import { LANE_PAD, rowHeight } from "./lanes.js";

/** @typedef {import("./paint.js").Frame} Frame */
/** @typedef {import("../types.js").Lane} Lane */
/** @typedef {{x: number, from: number, to: number}} Trunk */

const ROUND = 5;

/** @param {CanvasRenderingContext2D} context @param {Frame} frame */
export function drawConnectors(context, frame) {
  const { view, geometry, cache, scroll, theme } = frame;
  /** @type {Map<string, Trunk>} */
  const trunks = new Map();
  context.strokeStyle = theme.connector;
  context.lineWidth = 1.25;
  context.beginPath();
  for (let index = frame.first; index <= frame.last; index++) {
    const lane = cache.lane(index);
    if (!lane || lane.parent_path === null) continue;
    const y = geometry.top(index) - scroll + LANE_PAD + rowHeight(geometry.rows(index)) / 2;
    const key = `${lane.parent_path}|${lane.parent_seq}`;
    const trunk = trunks.get(key) ?? trunkOf(frame, lane);
    trunks.set(key, trunk);
    trunk.to = Math.max(trunk.to, y - ROUND);
    const begin = Math.min(view.width + 1, xOf(view, lane.begin_ms));
    if (begin < trunk.x - 1 || trunk.x > view.width || begin < 0) continue;
    context.moveTo(trunk.x, y - ROUND);
    context.quadraticCurveTo(trunk.x, y, Math.min(trunk.x + ROUND, begin), y);
    context.lineTo(begin, y);
  }
  for (const { x, from, to } of trunks.values()) {
    if (x < 0 || x > view.width) continue;
    context.moveTo(x, Math.max(-ROUND, from));
    context.lineTo(x, Math.min(frame.height + ROUND, to));
  }
  context.stroke();
}

/** @param {Frame} frame @param {Lane} lane @returns {Trunk} */
function trunkOf({ view, geometry, cache, scroll }, lane) {
  const parent = cache.indexOf(lane.parent_path ?? "");
  let begin = lane.begin_ms;
  if (parent !== undefined) {
    const segments = cache.segments(parent, view);
    const bar = segments.flatMap(({ bars }) => bars.find((each) => holds(each, lane.parent_seq ?? -1)) ?? [])[0];
    if (bar) begin = bar.begin_ms;
  }
  const from = parent === undefined ? 0 : geometry.top(parent + 1) - scroll - 4;
  return { x: Math.round(xOf(view, begin)) + 0.5, from, to: from };
}
