// The time axis above the lanes, and its lines through them.

import { msAt, offsetLabel, perPixel, ticks } from "./scale.js";

/** @typedef {import("./scale.js").View} View */
/** @typedef {import("./theme.js").Theme} Theme */

export const AXIS_HEIGHT = 28;

/**
 * @param {CanvasRenderingContext2D} context @param {View} view @param {Theme} theme
 * @param {number} started @param {number} height of the canvas
 */
export function paintGrid(context, view, theme, started, height) {
  context.fillStyle = theme.grid;
  for (const { x } of ticks(view, started)) context.fillRect(Math.round(x), AXIS_HEIGHT, 1, height - AXIS_HEIGHT);
}

/**
 * @param {CanvasRenderingContext2D} context @param {View} view @param {Theme} theme
 * @param {number} started @param {number | null} pointer x of the pointer, whose time is shown
 */
export function paintAxis(context, view, theme, started, pointer) {
  context.fillStyle = theme.page;
  context.fillRect(0, 0, view.width, AXIS_HEIGHT);
  context.fillStyle = theme.line;
  context.fillRect(0, AXIS_HEIGHT - 1, view.width, 1);
  context.font = `11px ${theme.font}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = theme.muted;
  for (const { x, label } of ticks(view, started)) {
    context.fillRect(Math.round(x), AXIS_HEIGHT - 7, 1, 6);
    context.fillText(label, Math.round(x) + 4, AXIS_HEIGHT / 2 - 1);
  }
  if (pointer !== null) paintPointer(context, view, theme, started, pointer);
}

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Theme} theme @param {number} started @param {number} x */
function paintPointer(context, view, theme, started, x) {
  const ms = Math.max(0, msAt(view, x) - started);
  const label = offsetLabel(ms, Math.max(1, perPixel(view))) || "0";
  const width = context.measureText(label).width + 10;
  const left = Math.min(view.width - width, Math.max(0, x - width / 2));
  context.fillStyle = theme.text;
  context.beginPath();
  context.roundRect(left, 4, width, AXIS_HEIGHT - 10, 4);
  context.fill();
  context.fillStyle = theme.page;
  context.fillText(label, left + 5, AXIS_HEIGHT / 2 - 1);
}
