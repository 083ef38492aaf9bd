/**
 * The rows of a comparison: calls of two runs in pairs, and the two answers of a pair when it is opened.
 *
 * @import {CallComparison, CallDetail, CallRow, CompareRow} from "../types.js"
 */

import { DiffView } from "../components/diff-view.js";
import { h } from "../dom.js";
import { oneLine, shortId } from "../format.js";
import { runPath } from "../router.js";
import { stateShape } from "../state.js";

/** @typedef {{left: string, right: string}} Runs the ids of the two runs */
/** @typedef {CompareRow["kind"]} Kind */

/** @type {{[kind in Kind]: {mark: string, word: string}}} */
const KINDS = {
  shared: { mark: "=", word: "shared" },
  same: { mark: "=", word: "same" },
  changed: { mark: "≠", word: "changed" },
  left_only: { mark: "−", word: "left only" },
  right_only: { mark: "+", word: "right only" },
};

/**
 * A kind of row as a chip: mark and word.
 *
 * @param {Kind} kind
 * @param {string} [before] said before the word, e.g. a count
 * @returns {HTMLElement}
 */
export function kindChip(kind, before = "") {
  const { mark, word } = KINDS[kind];
  return h("span", { class: `kind kind-${kind}` }, h("span", { class: "kind-mark", "aria-hidden": "true" }, mark), `${before}${word}`);
}

/**
 * @param {CompareRow} row
 * @param {boolean} isOpen
 * @param {() => void} toggle
 * @returns {HTMLElement}
 */
export function pairRow(row, isOpen, toggle) {
  const button = h(
    "button",
    { type: "button", class: "pair-toggle", "aria-expanded": String(isOpen), "aria-label": `${KINDS[row.kind].word}: call at ${row.path}`, on: { click: toggle } },
    h("span", { "aria-hidden": "true" }, isOpen ? "▾" : "▸"),
    kindChip(row.kind),
  );
  const differs = row.differs.length > 0 && h("span", { class: "muted small" }, row.differs.join(", "));
  return h(
    "tr",
    { class: `pair pair-${row.kind}`, role: "row", dataset: { path: row.path } },
    h("td", { role: "cell", class: "pair-kind" }, button, differs),
    h("td", { role: "cell", class: "pair-path mono small muted" }, row.path),
    side(row.left, "left"),
    side(row.right, "right"),
  );
}

/** @param {CallRow | null} call @param {string} where */
function side(call, where) {
  if (call === null) return h("td", { role: "cell", class: "pair-side none", dataset: { where } }, h("span", { class: "muted" }, "no such call"));
  return h(
    "td",
    { role: "cell", class: "pair-side", dataset: { where } },
    h("span", { class: "pair-call" }, stateShape(call.state), h("span", { class: "muted" }, `#${call.seq}`), h("code", null, call.function), h("span", { class: "clip" }, oneLine(call.label, 120))),
    call.error !== null && h("span", { class: "pair-error" }, oneLine(call.error, 160)),
  );
}

/**
 * What an opened pair shows.
 *
 * @param {CallComparison} pair
 * @param {Runs} runs
 * @returns {HTMLElement[]}
 */
export function pairDetail({ left, right, args, result, cut }, runs) {
  return [
    h("p", { class: "row small" }, callLink(left, runs.left, "left"), callLink(right, runs.right, "right")),
    titled("Arguments", diff(args, "Arguments of the two calls", runs)),
    ...(left?.error || right?.error ? [titled("Errors", errors(left, right))] : []),
    titled("Results", diff(result, "Results of the two calls", runs)),
    ...(cut ? [cutNote()] : []),
  ];
}

/** Said of a diff that is not whole. */
export function cutNote() {
  return h("p", { class: "muted small" }, "Only the first lines are compared here. The whole values are in the checkpoint files of the two runs.");
}

/** @param {CallDetail | null} call @param {string} runId @param {string} where */
function callLink(call, runId, where) {
  if (call === null) return null;
  return h("a", { href: runPath(runId, { call: call.seq }) }, `Open #${call.seq} of the ${where} run`);
}

/** @param {string} title @param {HTMLElement} content */
function titled(title, content) {
  return h("section", { class: "pair-part" }, h("h3", null, title), content);
}

/** @param {CallDetail | null} left @param {CallDetail | null} right */
function errors(left, right) {
  const one = (/** @type {CallDetail | null} */ call, /** @type {string} */ where) => {
    return h("p", { class: "wrap" }, h("span", { class: "muted" }, `${where}: `), call?.error?.message ?? "no error");
  };
  return h("div", null, one(left, "left"), one(right, "right"));
}

/**
 * @param {import("../types.js").DiffLine[]} lines
 * @param {string} label
 * @param {Runs} runs
 * @returns {HTMLElement}
 */
export function diff(lines, label, runs) {
  const view = new DiffView();
  view.setAttribute("label", label);
  view.setAttribute("left-label", `left ${shortId(runs.left)}`);
  view.setAttribute("right-label", `right ${shortId(runs.right)}`);
  view.lines = lines;
  return view;
}
