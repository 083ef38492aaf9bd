/**
 * `<outcome-editor>`: what a call answers instead of what was recorded. The editor goes by the kind of the result: a
 * text, one of the choices, or JSON; or the message of an error. Tells `draft-changed` after each change.
 *
 * @import {DraftFault, Draft, RecordedCall, ResultKind} from "./draft.js"
 */

import { CodeEditor } from "../components/code-editor.js";
import { define, h, replace, tell } from "../dom.js";
import { parseExactly } from "../exact-json.js";
import { jsonText } from "../format.js";
import { draftFault, isJsonKind, isUnchanged, recordedDraft } from "./draft.js";

const KIND_HELP = {
  text: "A text, as it is: no quotes around it.",
  choice: "One of the answers that the agent offers.",
  json: "A JSON value.",
  array: "A JSON array: one item for each branch, in their order.",
  none: "",
};
const ERROR_HELP = "What the agent sees thrown, as if the call had failed.";
const NO_RESULT = "No record holds the value of a variable. Set the variable for the fork instead, or let the call fail.";

class OutcomeEditor extends HTMLElement {
  /** @type {RecordedCall} */
  #call = { function: "", args: null, result: null, error: null };
  /** @type {ResultKind} */
  #kind = "json";
  /** @type {Draft} */
  #draft = { mode: "result", text: "", error: "", note: "" };
  #value = new CodeEditor();
  #message = new CodeEditor();
  #status = h("div", { class: "outcome-status", id: "outcome-status", role: "status" });
  #resultPart = h("div", { class: "outcome-part" });
  #errorPart = h("div", { class: "outcome-part" });

  /**
   * Begins with what was recorded.
   *
   * @param {RecordedCall} call
   * @param {ResultKind} kind
   * @param {string[] | null} choices
   */
  begin(call, kind, choices) {
    this.#call = call;
    this.#kind = kind;
    this.#draft = recordedDraft(call, kind);
    this.#setUp(this.#value, kind === "array" ? "Results of the branches, JSON" : "Result", kind === "text");
    this.#setUp(this.#message, "Message of the error", true);
    const help = h("p", { class: "muted small" }, KIND_HELP[kind]);
    replace(this.#resultPart, help, kind === "choice" ? this.#choices(choices ?? []) : kind !== "none" && this.#value);
    replace(this.#errorPart, kind === "none" && h("p", { class: "small" }, NO_RESULT), h("p", { class: "muted small" }, ERROR_HELP), this.#message);
    replace(this, this.#modes(), this.#resultPart, this.#errorPart, this.#status);
    this.#value.value = this.#draft.text;
    this.#message.value = this.#draft.error;
    this.#show();
  }

  /** @returns {Draft} without a note, which is not this element's */
  get draft() {
    return this.#draft;
  }

  /** @returns {DraftFault | null} */
  get fault() {
    return draftFault(this.#draft, this.#kind, this.#call);
  }

  get isUnchanged() {
    return isUnchanged(this.#draft, this.#kind, this.#call);
  }

  focus() {
    if (this.#draft.mode === "error") this.#message.focus();
    else if (this.#kind === "choice") this.#resultPart.querySelector("input")?.focus();
    else this.#value.focus();
  }

  /** @param {CodeEditor} editor @param {string} label @param {boolean} wraps */
  #setUp(editor, label, wraps) {
    editor.setAttribute("label", label);
    editor.setAttribute("describedby", this.#status.id);
    editor.toggleAttribute("wrap", wraps);
    editor.addEventListener("input", () => this.#take());
  }

  #modes() {
    /** @param {"result" | "error"} mode @param {string} word */
    const option = (mode, word) => {
      const checked = this.#draft.mode === mode;
      const input = h("input", { type: "radio", name: "outcome-mode", value: mode, checked, disabled: mode === "result" && this.#kind === "none" });
      input.addEventListener("change", () => {
        this.#draft = { ...this.#draft, mode };
        this.#changed();
      });
      return h("label", { class: "segment" }, input, h("span", null, word));
    };
    const legend = h("legend", null, "In the fork the call gives");
    return h("fieldset", { class: "segments" }, legend, option("result", "a result"), option("error", "an error"));
  }

  /** @param {string[]} choices */
  #choices(choices) {
    const option = (/** @type {string} */ choice) => {
      const input = h("input", { type: "radio", name: "outcome-choice", value: choice, checked: this.#draft.text === choice });
      input.addEventListener("change", () => {
        this.#draft = { ...this.#draft, text: choice };
        this.#changed();
      });
      const wasRecorded = this.#call.error === null && this.#call.result === choice;
      return h("label", { class: "option" }, input, h("span", { class: "wrap" }, choice), wasRecorded && h("span", { class: "muted small" }, "recorded"));
    };
    return h("fieldset", { class: "choices" }, h("legend", { class: "said" }, "Answer"), choices.map(option));
  }

  #take() {
    const text = this.#kind === "choice" || this.#kind === "none" ? this.#draft.text : this.#value.value;
    this.#draft = { ...this.#draft, text, error: this.#message.value };
    this.#changed();
  }

  #changed() {
    this.#show();
    tell(this, "draft-changed");
  }

  #show() {
    const isError = this.#draft.mode === "error";
    this.#resultPart.hidden = isError;
    this.#errorPart.hidden = !isError;
    const fault = this.fault;
    this.#value.fault = isError ? null : fault;
    this.#message.fault = isError ? fault : null;
    replace(this.#status, this.#verdict(fault), this.#tools(fault));
  }

  /** @param {DraftFault | null} fault */
  #verdict(fault) {
    if (fault !== null) {
      const place = fault.line === null ? "" : `Line ${fault.line}, column ${fault.column}: `;
      return h("span", { class: "verdict tone-bad" }, h("span", { "aria-hidden": "true" }, "✕ "), place, fault.message);
    }
    if (this.isUnchanged) return h("span", { class: "verdict muted" }, "This is what was recorded.");
    const isJson = this.#draft.mode === "result" && isJsonKind(this.#kind);
    return h("span", { class: "verdict tone-good" }, h("span", { "aria-hidden": "true" }, "✓ "), isJson ? "Valid JSON, changed" : "Changed");
  }

  /** @param {DraftFault | null} fault */
  #tools(fault) {
    const { line, column } = fault ?? { line: null, column: null };
    const isJson = this.#draft.mode === "result" && isJsonKind(this.#kind);
    const pretty = isJson && line === null ? jsonText(parseExactly(this.#draft.text)) : null;
    return h(
      "span",
      { class: "row push" },
      line !== null && column !== null && button("Go there", () => this.#value.focusAt(line, column)),
      pretty !== null && pretty !== this.#draft.text && button("Format", () => this.#value.replaceText(pretty)),
      !this.isUnchanged && button("Back to the record", () => this.#reset()),
    );
  }

  #reset() {
    const recorded = recordedDraft(this.#call, this.#kind);
    this.#draft = recorded;
    if (recorded.mode === "result" && this.#kind !== "choice") this.#value.replaceText(recorded.text);
    if (recorded.mode === "error") this.#message.value = recorded.error;
    for (const input of this.querySelectorAll("input")) {
      input.checked = input.value === (input.name === "outcome-mode" ? recorded.mode : recorded.text);
    }
    this.#changed();
    this.focus();
  }
}

/** @param {string} word @param {() => void} click */
function button(word, click) {
  return h("button", { type: "button", class: "button small", on: { click } }, word);
}

define("outcome-editor", OutcomeEditor);
export { OutcomeEditor };
