// The parts of a call's detail.

import { jsonView } from "../components/json-view.js";
import { h } from "../dom.js";
import { count, counted, duration, exactTime, tokens } from "../format.js";
import { runPath } from "../router.js";
import { closed, promptAnswer, promptMessages } from "./prompt.js";
import { placeText, sourceExcerpt } from "./source.js";

/** @import {Child} from "../dom.js" */
/** @import {CallDetail} from "../types.js" */

const LANES_SHOWN = 12;

/** @param {string} title @param {...Child} content */
const part = (title, ...content) => h("section", { class: "call-part" }, h("h3", null, title), ...content);

/** @param {CallDetail} call @param {string} run @returns {HTMLElement} */
export function callFacts(call, run) {
  const { prompt } = call;
  /** @type {[string, Child][]} */
  const facts = [
    ["Duration", call.end_ms === null ? "under way" : duration(call.duration_ms)],
    ["Began", h("time", { title: exactTime(call.began_ms) }, exactTime(call.began_ms))],
    ["Path", h("span", { class: "mono" }, call.path)],
    ["Actor", h("span", { class: "mono" }, call.actor || "root")],
    ["Inside of", call.parent_seq === null ? null : h("a", { href: runPath(run, { call: call.parent_seq }) }, `call #${call.parent_seq}`)],
    ["Place", placeText(call.place) && h("span", { class: "mono" }, placeText(call.place))],
    ["Model", prompt?.model],
    ["Provider", prompt?.provider],
    ["Tokens", prompt && tokens(prompt.input_tokens, prompt.output_tokens)],
    ["Cost", prompt?.cost],
    ["Attempts", call.attempts.length > 1 ? count(call.attempts.length) : null],
    ["Recorded in", !call.origin_run_id || call.origin_run_id === run ? null : h("a", { href: runPath(call.origin_run_id, { call: call.seq }), class: "mono" }, call.origin_run_id)],
    ["Edited", call.edited ? `by hand${call.note ? `: ${call.note}` : ""}` : null],
  ];
  return h(
    "dl",
    { class: "call-facts" },
    ...facts.filter(([, value]) => value).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))),
  );
}

/** How long the call waited for its turn, against how long it ran. @param {CallDetail} call */
export function queueBar({ queue, end_ms: end }) {
  const { wait_ms: wait, run_ms: run } = queue;
  if (wait <= 0) return null;
  const waiting = h("span", { class: "queue-wait" });
  waiting.style.width = `${(100 * wait) / Math.max(1, wait + run)}%`;
  return h(
    "div",
    { class: "queue" },
    h("div", { class: "queue-bar", "aria-hidden": "true" }, waiting),
    h("div", { class: "small" }, `waited ${duration(wait)}, ${end === null ? "runs for" : "ran"} ${duration(run)}`),
  );
}

/** @param {CallDetail} call */
export function callError(call) {
  const { error } = call;
  if (!error) return null;
  return h(
    "section",
    { class: "call-error" },
    h("h3", null, error.name ?? "Error"),
    h("p", { class: "wrap" }, error.message),
    error.location && h("p", { class: "mono small" }, error.location),
    !call.source && error.source_line && h("pre", null, error.source_line),
    error.data !== null && error.data !== undefined && closed("Data", jsonView(error.data, { label: "the error's data" })),
    error.stack && closed("Stack", h("pre", { class: "small" }, error.stack)),
  );
}

/** @param {CallDetail} call @param {(field: "args" | "result") => void} whole loads what was cut @returns {(HTMLElement | null)[]} */
export function callValues(call, whole) {
  const { prompt } = call;
  const args = part("Arguments", value(call, "args", whole));
  const has = call.end_ms !== null && call.error === null;
  const result = has ? part("Result", value(call, "result", whole)) : null;
  if (!prompt) return [args, result];
  return [
    ...promptMessages(prompt),
    promptAnswer(call, prompt),
    closed("As recorded", h("div", { class: "stack" }, args, result)),
  ];
}

/** @param {CallDetail} call @param {"args" | "result"} field @param {(field: "args" | "result") => void} whole */
function value(call, field, whole) {
  const content = call[field];
  if (!call.truncated[field]) return typeof content === "string" ? h("pre", { class: "call-text" }, content) : jsonView(content, { depth: 3, label: `the ${field}` });
  const text = content !== null && typeof content === "object" && "$truncated" in content ? content.$truncated : content;
  const more = h("button", { type: "button", class: "button small" }, "Load all of it");
  more.addEventListener("click", () => whole(field));
  return h("div", { class: "stack" }, h("pre", { class: "call-text cut" }, String(text)), h("p", { class: "small muted" }, "Only the first 256 KB are shown. ", more));
}

/** @param {CallDetail} call */
export function callSource(call) {
  return call.source && part("Where the agent made it", sourceExcerpt(call.source));
}

/** @param {CallDetail} call */
export function callAttempts({ attempts }) {
  if (attempts.length < 2) return null;
  const head = ["Attempt", "Took", "How it ended"].map((name) => h("th", { scope: "col" }, name));
  const rows = attempts.map(({ number, error, duration_ms: took }) =>
    h("tr", null, h("td", null, String(number)), h("td", null, duration(took)), h("td", { class: error ? "attempt-bad wrap" : "wrap" }, error ?? "answered")),
  );
  return part("Attempts", h("table", { class: "table" }, h("thead", null, h("tr", null, ...head)), h("tbody", null, ...rows)));
}

/** @param {CallDetail} call */
export function callChildren({ children }) {
  const { lanes, calls } = children;
  if (lanes.length === 0 && calls === 0) return null;
  const shown = lanes.slice(0, LANES_SHOWN).map((path) => h("code", { class: "chip" }, path));
  const rest = lanes.length - shown.length;
  const actors = lanes.length ? ` in ${counted(lanes.length, "actor")}` : "";
  return part("Inside of it", h("p", null, `${counted(calls, "call")}${actors}`), h("p", { class: "call-lanes" }, ...shown, rest > 0 && ` and ${count(rest)} more`));
}
