// A call in words: for the tooltip, and for people who do not see the canvas.

import { counted, duration } from "../format.js";
import { look } from "../state.js";
import { endOf, isMerged } from "./bars.js";

/** @typedef {import("./bars.js").AnyBar} Bar */

/** @param {Bar} bar @returns {string} */
export function nameOf(bar) {
  if (isMerged(bar)) return `${counted(bar.merged, "call")} #${bar.first_seq}–#${bar.last_seq}`;
  return `#${bar.seq} ${bar.function}`;
}

/** @param {Bar} bar @param {number} started @param {number} now @returns {string[]} what else is to be said, a line each */
export function linesOf(bar, started, now) {
  const took = duration(endOf(bar, now) - bar.begin_ms);
  const after = `${took}, ${duration(bar.begin_ms - started)} after the start`;
  const state = bar.recorded ? `${look(bar.state).word}, recorded` : look(bar.state).word;
  if (isMerged(bar)) return [state, after, "Enter or a click zooms in"];
  const waited = bar.wait_ms > 0 ? `${duration(bar.wait_ms)} of it waiting` : null;
  return [bar.label, state, after, waited, bar.open_question ? "It has an open question" : null].filter((line) => line !== null);
}

/** @param {Bar} bar @param {string} lane @param {number} started @param {number} now */
export function spoken(bar, lane, started, now) {
  return [nameOf(bar), ...linesOf(bar, started, now), lane].join(", ");
}

/** @param {import("../types.js").TimelineView["counts"]} counts @returns {number} */
export const problems = (counts) => counts.failed + counts.waiting;

