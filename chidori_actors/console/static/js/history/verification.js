/**
 * What a replay without any call found, in words; a divergence with recorded and attempted call side by side.
 *
 * @import {AttemptedCall, Divergence, Verification} from "../types.js"
 */

import { h } from "../dom.js";
import { count, counted } from "../format.js";
import { placeText, sourceExcerpt } from "../run/source.js";
import { badge, stateShape } from "../state.js";
import { markedLines } from "./marked-json.js";

/**
 * @param {Verification} found
 * @returns {HTMLElement[]}
 */
export function verification(found) {
  /** @type {HTMLElement[]} */
  const parts = [counter(found), verdict(found)];
  if (found.divergence !== null) parts.push(divergence(found.divergence));
  if (found.printed.length > 0) parts.push(printed(found.printed));
  return parts;
}

/** @param {Verification} found */
function counter({ recorded, live }) {
  const part = (/** @type {number} */ value, /** @type {string} */ word, /** @type {string} */ state) =>
    h("span", { class: "replay-count" }, stateShape(state), h("strong", null, count(value)), ` ${word}`);
  return h("p", { class: "replay-counts" }, part(recorded, "recorded", "recorded"), part(live, "live", "running"));
}

/** @param {Verification} found */
function verdict(found) {
  const [state, word, text] = words(found);
  return h("div", { class: "replay-verdict" }, badge(state, word), h("span", { class: "wrap" }, text));
}

/**
 * @param {Verification} found
 * @returns {[state: string, word: string, text: string]}
 */
function words({ status, seq, recorded, output_matches, error }) {
  const given = `${counted(recorded, "answer")} came from the record, no call was made.`;
  switch (status) {
    case "reached":
      return ["done", `reached #${seq}`, `The agent came to call #${seq} again and has its answer. ${given}`];
    case "completed":
      if (output_matches === false) return ["failed", "another output", `The agent came to its end, with another output than the recorded one. ${given}`];
      return ["done", "the same", `The agent came to its end${output_matches === null ? "" : " with the same output"}. ${given}`];
    case "failed":
      if (output_matches === true) return ["done", "fails the same", `The agent failed as it did before${error === null ? "" : `: ${error}`}. ${given}`];
      return ["failed", "failed", `The agent failed${error === null ? "" : `: ${error}`}. ${given}`];
    case "record_ended":
      return ["paused", "end of the record", `The record ends here, where the run goes on or waits. ${given}`];
    default:
      return ["failed", "diverged", "The agent does something else than was recorded."];
  }
}

/** @param {Divergence} divergence */
function divergence({ message, seq, place, source, recorded, attempted, difference }) {
  const path = difference?.path ?? null;
  const otherFunction = recorded?.function !== attempted?.function;
  return h(
    "section",
    { class: "divergence stack", "aria-label": "Divergence" },
    h("p", { class: "wrap" }, message),
    (recorded !== null || attempted !== null) &&
      h(
        "div",
        { class: "divergence-sides" },
        side("Recorded", seq, recorded, path, otherFunction),
        side("Attempted", null, attempted, path, otherFunction),
      ),
    source !== null ? sourceExcerpt(source) : place !== null && h("p", null, "At ", h("code", null, placeText(place))),
  );
}

/**
 * @param {string} title @param {number | null} seq @param {AttemptedCall | null} call @param {string | null} path
 * @param {boolean} functionDiffers
 */
function side(title, seq, call, path, functionDiffers) {
  const name = call === null ? h("span", { class: "muted" }, "no call") : h("code", null, functionDiffers ? h("mark", null, call.function) : call.function);
  const heading = h("p", { class: "divergence-title" }, title, seq !== null && h("span", { class: "muted" }, ` #${seq}`), " ", name);
  if (call === null) return h("div", { class: "divergence-side" }, heading);
  const lines = markedLines(call.args, path).map(({ text, marked }) => {
    return h("li", { class: marked ? "marked" : "" }, h("span", { class: "diff-mark", "aria-hidden": "true" }, marked ? "▸" : ""), h("code", null, marked ? h("mark", null, text) : text));
  });
  const label = `${title} arguments${path === null || path === "" ? "" : `, ${path} differs`}`;
  return h("div", { class: "divergence-side" }, heading, h("ol", { class: "marked-lines", tabindex: 0, "aria-label": label }, lines));
}

/** @param {Verification["printed"]} lines */
function printed(lines) {
  const item = (/** @type {{level: string, text: string}} */ { level, text }) => {
    return h("li", { class: level === "error" || level === "warn" ? "tone-bad" : "" }, h("span", { class: "muted" }, `${level} `), h("span", { class: "wrap" }, text));
  };
  return h("details", { class: "printed", open: lines.length <= 20 }, h("summary", null, `The agent printed ${counted(lines.length, "line")}`), h("ol", { class: "mono" }, lines.map(item)));
}
