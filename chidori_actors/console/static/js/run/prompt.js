// A prompt as the model got it, and what the model said.

import { jsonView } from "../components/json-view.js";
import { copyButton } from "../components/copy.js";
import { h } from "../dom.js";
import { counted } from "../format.js";

/** @import {Child} from "../dom.js" */
/** @import {CallDetail, Json, PromptDetail} from "../types.js" */

/** Longer messages are closed at first, their beginning is seen. */
const LONG = 1500;

/** @param {PromptDetail} prompt @returns {HTMLElement[]} */
export function promptMessages(prompt) {
  const options = Object.keys(prompt.options).length > 0;
  return [
    h("section", { class: "call-part" }, h("h3", null, "Prompt as the model got it"), h("div", { class: "messages" }, ...prompt.messages.map(message))),
    ...(prompt.tools?.length ? [closed(counted(prompt.tools.length, "tool"), jsonView(prompt.tools, { label: "the tools" }))] : []),
    ...(options ? [closed("Options", jsonView(prompt.options, { label: "the options" }))] : []),
  ];
}

/** @param {{role: string, content: Json}} message */
function message({ role, content }) {
  return h("div", { class: `message role-${/^[a-z]+$/.test(role) ? role : "other"}` }, h("div", { class: "message-role" }, role), ...parts(content));
}

/** @param {Json} content @returns {Child[]} */
function parts(content) {
  if (typeof content === "string") return [words(content)];
  if (!Array.isArray(content)) return [jsonView(content)];
  return content.map((part) => {
    const text = part !== null && typeof part === "object" && part.type === "text" ? part.text : part;
    return typeof text === "string" ? words(text) : jsonView(text, { depth: 2, label: "the part" });
  });
}

/** @param {string} text */
function words(text) {
  const body = h("div", { class: "words" }, text);
  if (text.length <= LONG) return body;
  body.classList.add("long");
  const more = h("button", { type: "button", class: "button small", "aria-expanded": "false" }, "Show all");
  more.addEventListener("click", () => {
    const long = body.classList.toggle("long");
    more.textContent = long ? "Show all" : "Show less";
    more.setAttribute("aria-expanded", String(!long));
  });
  return h("div", null, body, more);
}

/**
 * The answer, or as much of it as came so far.
 * @param {CallDetail} call @param {PromptDetail} prompt @returns {HTMLElement | null}
 */
export function promptAnswer(call, prompt) {
  const text = prompt.answer ?? call.stream?.text ?? null;
  const calls = prompt.tool_calls ?? [];
  if (text === null && calls.length === 0) return null;
  const streams = prompt.answer === null && call.stream?.live;
  return h(
    "section",
    { class: "call-part" },
    h("div", { class: "call-part-head" }, h("h3", null, streams ? "Answer, as it comes" : "Answer"), prompt.stop_reason && h("span", { class: "chip" }, prompt.stop_reason), text !== null && !streams && copyButton(text, "Copy the answer")),
    text !== null && h("div", { class: streams ? "message role-assistant streams" : "message role-assistant" }, h("div", { class: "words", dataset: { stream: streams ? "yes" : null } }, text)),
    calls.length > 0 && jsonView(calls, { label: "the tool calls" }),
  );
}

/** @param {string} title @param {Child} content */
export function closed(title, content) {
  return h("details", { class: "call-more" }, h("summary", null, title), content);
}
