/**
 * What a fork shares with its parent, and what it may do and cost, in words.
 *
 * @import {BranchPreview, CallName} from "../types.js"
 * @import {Child} from "../dom.js"
 */

import { copyButton } from "../components/copy.js";
import { h } from "../dom.js";
import { count, counted, oneLine, shortId, tokens } from "../format.js";
import { stateShape } from "../state.js";

const MOST_NAMED = 8;

/**
 * @param {BranchPreview} preview
 * @param {string} runId
 * @returns {HTMLElement[]}
 */
export function forkPreview(preview, runId) {
  const parts = [shared(preview), again(preview), live(preview), sideEffects(preview)];
  const list = h("ol", { class: "fork-parts" }, parts.filter((part) => part !== null));
  return [...origin(preview, runId), list, command(preview.command)];
}

/** @param {BranchPreview} preview @param {string} runId */
function origin({ origin_run_id, at }, runId) {
  if (origin_run_id === runId) return [];
  const id = h("code", { title: origin_run_id }, shortId(origin_run_id));
  return [h("p", { class: "small" }, `Call #${at} is in the record that this run shares with `, id, ", so the fork is one of that run.")];
}

/** The call itself counts among those that are there already: its new answer is. @param {BranchPreview} preview */
function shared({ shared_calls, at }) {
  const before = shared_calls > 1 ? `What had ended when #${at} got its answer, and #${at} with yours.` : `Only #${at} with your answer; nothing had ended before it.`;
  return part("recorded", `${counted(shared_calls, "call")} from the record`, h("p", null, `${before} Not made again, no cost.`));
}

/** @param {BranchPreview} preview */
function again({ in_flight }) {
  if (in_flight.length === 0) return null;
  return part("waiting", `${counted(in_flight.length, "call")} made again`, h("p", null, "Under way at that moment, so without an answer yet."), names(in_flight));
}

/** @param {BranchPreview} preview */
function live({ after }) {
  if (after.calls === 0) {
    return part("running", "Then it runs live", h("p", null, "This run made no calls from there on. The fork may make others, which cost what they cost."));
  }
  const functions = Object.entries(after.functions).map(([name, times]) => h("li", null, h("code", null, name), ` × ${count(times)}`));
  const used = tokens(after.input_tokens, after.output_tokens);
  const hasPrompts = after.functions.prompt !== undefined;
  return part(
    "running",
    "Then it runs live",
    h("p", null, `From there on this run made ${counted(after.calls, "call")}. The fork may run and cost as much again:`),
    h("ul", { class: "fork-functions" }, functions),
    hasPrompts && h("p", null, h("strong", null, after.cost), used && h("span", { class: "muted" }, ` · tokens ${used}`)),
  );
}

/** @param {BranchPreview} preview */
function sideEffects({ side_effects }) {
  if (side_effects.length === 0) return null;
  return part(
    "interrupted",
    `${counted(side_effects.length, "side effect")} may happen again`,
    h("p", null, "This run changed something outside from there on:"),
    names(side_effects),
  );
}

/** @param {string} text */
function command(text) {
  return h(
    "div",
    { class: "fork-command" },
    h("div", { class: "row" }, h("h3", null, "The same as a command"), h("span", { class: "push" }, copyButton(text, "Copy the command"))),
    h("pre", { tabindex: 0, "aria-label": "Command" }, text),
  );
}

/** @param {CallName[]} calls */
function names(calls) {
  const item = (/** @type {CallName} */ { seq, function: name, label }) => h("li", null, h("span", { class: "muted" }, `#${seq} `), h("code", null, name), ` ${oneLine(label, 80)}`);
  const rest = calls.slice(MOST_NAMED);
  return [
    h("ul", { class: "fork-names" }, calls.slice(0, MOST_NAMED).map(item)),
    rest.length > 0 && h("details", { class: "fork-rest" }, h("summary", null, `${count(rest.length)} more`), h("ul", { class: "fork-names" }, rest.map(item))),
  ];
}

/** @param {string} state @param {string} title @param {...Child} content */
function part(state, title, ...content) {
  return h("li", { class: `fork-part part-${state}` }, stateShape(state), h("div", null, h("h3", null, title), ...content));
}
