/**
 * States in words and shapes: no state is told by colour alone. The colours are custom properties of console.css:
 * `--tone-run`, `--tone-wait`, `--tone-good`, `--tone-bad`, `--tone-off`, `--tone-past`, each also with `-soft`.
 *
 * @import {CallState, RunStatus} from "./types.js"
 * @typedef {RunStatus | CallState | "recorded"} State
 * @typedef {"run" | "wait" | "good" | "bad" | "off" | "past"} Tone
 * @typedef {{word: string, tone: Tone, shape: string}} Look `shape`: an SVG path in a box of 12 by 12.
 */

import { h, svg } from "./dom.js";

const TRIANGLE = "M3 1.6 10.4 6 3 10.4Z";
const TICK = "M1.8 6.6 4.6 9.4 10.2 2.9";
const CROSS = "M2.6 2.6 9.4 9.4M9.4 2.6 2.6 9.4";
const BARS = "M4 2.2V9.8M8 2.2V9.8";
const QUESTION = "M4 4.1A2.1 2.1 0 1 1 6 6.4V7.5M6 9.9V10";
const SHIELD = "M6 1.4 10 2.9V6C10 8.4 8.4 10 6 10.7 3.6 10 2 8.4 2 6V2.9Z";
const SLASH = "M6 1.6A4.4 4.4 0 1 1 5.9 1.6ZM3 9 9 3";
const BROKEN = "M6.8 1.2 3.4 6.4H8.4L5 10.8";
const TAPE = "M6 2.2A3.8 3.8 0 1 1 2.6 4.3M2.2 1.4V4.5H5.2";

/** @type {{[state: string]: Look}} */
const LOOKS = {
  running: { word: "running", tone: "run", shape: TRIANGLE },
  completed: { word: "completed", tone: "good", shape: TICK },
  done: { word: "done", tone: "good", shape: TICK },
  failed: { word: "failed", tone: "bad", shape: CROSS },
  cancelled: { word: "cancelled", tone: "off", shape: SLASH },
  paused: { word: "paused", tone: "wait", shape: BARS },
  waiting: { word: "waiting", tone: "wait", shape: QUESTION },
  awaitingapproval: { word: "awaiting approval", tone: "wait", shape: SHIELD },
  interrupted: { word: "interrupted", tone: "bad", shape: BROKEN },
  recorded: { word: "recorded", tone: "past", shape: TAPE },
};

/** @type {Look} */
const UNKNOWN = { word: "unknown", tone: "off", shape: QUESTION };

/**
 * @param {State | string} state
 * @returns {Look}
 */
export function look(state) {
  return Object.hasOwn(LOOKS, state) ? LOOKS[state] : { ...UNKNOWN, word: state || UNKNOWN.word };
}

/**
 * The shape of a state, without its word: put the word beside it, or say it in a label.
 *
 * @param {State | string} state
 * @returns {SVGElement}
 */
export function stateShape(state) {
  const { tone, shape } = look(state);
  return svg(
    "svg",
    { class: `shape tone-${tone}`, viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" },
    svg("path", { d: shape, class: shape === TRIANGLE ? "filled" : "drawn" }),
  );
}

/**
 * The state as a badge: shape and word.
 *
 * @param {State | string} state
 * @param {string} [word] instead of the state's own
 * @returns {HTMLElement}
 */
export function badge(state, word) {
  const { tone, word: own } = look(state);
  return h(
    "span",
    { class: `badge tone-${tone}`, dataset: { state } },
    stateShape(state),
    h("span", null, word ?? own),
  );
}

/**
 * The state that a run is in for a reader: a running one that no process works on is interrupted.
 *
 * @param {{status: RunStatus | string, interrupted?: boolean}} run
 * @returns {State}
 */
export function runState(run) {
  return /** @type {State} */ (run.interrupted ? "interrupted" : run.status);
}
