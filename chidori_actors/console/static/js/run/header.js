// The head of a run: what it is, how it stands, what it took, what it said.

import { copyButton } from "../components/copy.js";
import { jsonView } from "../components/json-view.js";
import { timeAgo } from "../components/time.js";
import { h } from "../dom.js";
import { writeExactly } from "../exact-json.js";
import { count, counted, duration, milliseconds, oneLine, shortId, tokens } from "../format.js";
import { runPath } from "../router.js";
import { badge, runState } from "../state.js";

/** @import {SessionView} from "../types.js" */

/**
 * @param {SessionView} run @param {{cancel: () => unknown, retry: (changed: boolean) => unknown}} actions
 * @returns {HTMLElement}
 */
export function runHeader(run, actions) {
  const state = runState(run);
  const active = ["running", "paused", "awaitingapproval"].includes(run.status);
  return h(
    "header",
    { class: "run-head" },
    h(
      "div",
      { class: "run-title" },
      h("h1", null, run.agent ?? "Run"),
      badge(state),
      h("span", { class: "run-id mono", title: run.id }, shortId(run.id)),
      copyButton(run.id, "Copy the run's id"),
      h(
        "div",
        { class: "run-actions" },
        run.retriable && h("button", { type: "button", class: "button primary", on: { click: () => actions.retry(false) } }, run.interrupted ? "Continue" : "Retry"),
        run.status === "failed" && !run.retriable && h("button", { type: "button", class: "button", on: { click: () => actions.retry(true) } }, "Retry with the changed source"),
        active && h("button", { type: "button", class: "button danger", on: { click: actions.cancel } }, "Cancel run"),
      ),
    ),
    origin(run),
    facts(run),
  );
}

/** @param {SessionView} run */
function origin(run) {
  if (!run.branch) return null;
  const { parent_run_id: parent, at_seq: at } = run.branch;
  const link = h("a", { href: runPath(parent, { call: at }), class: "mono" }, shortId(parent));
  return h("p", { class: "run-origin" }, at === null ? "Replay of " : `Fork at call #${at} of `, link);
}

/** @param {SessionView} run */
function facts(run) {
  const { totals } = run;
  const took = milliseconds(run.updated_at) - milliseconds(run.created_at);
  const rows = [
    ["Started", timeAgo(run.created_at)],
    [run.live ? "Running for" : "Took", run.live ? timeAgo(run.created_at) : duration(took)],
    ["Calls", counter(run)],
    ["Prompts", count(totals.prompts)],
    ["Tokens", tokens(totals.input_tokens, totals.output_tokens) || "–"],
    ["Cost", totals.cost],
  ];
  const shown = run.live ? rows.filter(([name]) => name !== "Running for") : rows;
  return h("dl", { class: "run-facts" }, ...shown.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/** How much of the run cost nothing. @param {SessionView} run */
function counter(run) {
  return h(
    "span",
    { class: "run-counter", title: "Recorded calls are shared with another run or replayed and cost nothing; live ones were made by this run." },
    `recorded ${count(run.recorded_calls)}, live ${count(run.live_calls)}`,
  );
}

/**
 * Error, output and input of a run.
 * @param {SessionView} run @returns {HTMLElement}
 */
export function runValues(run) {
  const failed = run.error !== null && run.status !== "cancelled";
  return h(
    "div",
    { class: "run-values" },
    run.error !== null &&
      h("div", { class: failed ? "run-error" : "run-error quiet" }, h("strong", null, failed ? "Error" : "Cancelled"), h("pre", null, run.error)),
    run.status === "completed" && value("Output", run.output),
    value("Input", run.input),
  );
}

/** @param {string} name @param {unknown} content */
function value(name, content) {
  const preview = oneLine(typeof content === "string" ? content : writeExactly(content), 110);
  const body = h("div", { class: "run-value" });
  const details = h("details", { class: "run-detail" }, h("summary", null, h("strong", null, name), h("span", { class: "mono clip" }, preview)), body);
  details.addEventListener("toggle", () => details.open && !body.hasChildNodes() && body.append(jsonView(content, { label: name.toLowerCase() })));
  return details;
}

/** @param {import("../types.js").TimelineView} head @returns {string} for those who do not see it: how the run stands */
export const standing = (head) => `${head.status}, ${counted(head.call_count, "call")}`;
