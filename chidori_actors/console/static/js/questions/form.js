/**
 * One question of a run with what a person needs to answer it.
 *
 * @import {Question} from "../types.js"
 * @import {Leaf} from "../dom.js"
 */

import { ApiError } from "../api.js";
import { jsonView } from "../components/json-view.js";
import { h, replace, tell } from "../dom.js";
import { stateShape } from "../state.js";

const SHORT = 24;
const MOST_BUTTONS = 4;
const KINDS = { input: "Input", approval: "Approval", in_doubt: "Outcome unknown" };
/** @type {{[choice: string]: string}} */
const DECISIONS = {
  yes: "Allow",
  all: "Allow every such call of this run",
  no: "Deny",
  again: "Make the call again",
  fail: "Let it fail",
};
/** @type {{[choice: string]: string}} */
const LOOKS = { yes: "button primary", again: "button primary", no: "button danger", fail: "button danger" };

let forms = 0;

export class QuestionForm {
  #fault = h("div", { role: "alert" });
  /** Whether the answer was given from here: a disabled button gives up the focus. */
  hadFocus = false;

  /**
   * @param {Question} question
   * @param {(answer: string) => Promise<boolean>} answer gives it; false: the person thought better of it
   */
  constructor(question, answer) {
    this.question = question;
    this.answer = answer;
    const id = `question-${++forms}`;
    /** @type {HTMLFormElement} */
    this.element = h("form", { class: "question tone-wait" });
    this.fields = h("fieldset", { "aria-labelledby": id, class: "stack" }, this.#fields(id));
    const showCall = () => tell(this.element, "open-call", { seq: question.seq });
    const open = h(
      "button",
      { type: "button", class: "button quiet small push", on: { click: showCall } },
      `Call #${question.seq}`,
    );
    replace(
      this.element,
      h(
        "div",
        { class: "row" },
        stateShape(question.kind === "input" ? "waiting" : "awaitingapproval"),
        h("span", { class: "question-kind" }, KINDS[question.kind]),
        open,
      ),
      h("div", { id, class: "question-prompt wrap" }, question.prompt || `Call #${question.seq} waits for an answer.`),
      this.#context(),
      this.fields,
      this.#fault,
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#typed();
      if (text !== null) this.#send(text);
    });
  }

  /** The answer has arrived: nothing more can be said. */
  markAnswered() {
    this.fields.disabled = true;
    replace(this.#fault, h("p", { class: "muted" }, "Answered."));
  }

  /** @returns {Leaf[]} what the agent gave along, and what an approval is about */
  #context() {
    const { kind, prompt, target, args, details, reason } = this.question;
    return [
      kind !== "input" && h(
        "div",
        { class: "question-target" },
        h("span", { class: "muted" }, "Target "),
        h("code", null, target ?? "unknown"),
      ),
      // The question of a policy has it in its own words already.
      reason && !prompt?.includes(reason) && h("p", { class: "wrap" }, h("span", { class: "muted" }, "Asked because "), reason),
      kind !== "input" && args !== null && args !== undefined && jsonView(args, { label: "the arguments" }),
      typeof details === "string" && h("p", { class: "wrap" }, details),
      typeof details !== "string" && (details ?? null) !== null && jsonView(details, { label: "the details" }),
    ];
  }

  /**
   * @param {string} id of the question's text
   * @returns {Leaf[]}
   */
  #fields(id) {
    const { kind, choices, default: preset } = this.question;
    if (kind !== "input") {
      const decisions = (choices ?? ["yes", "no"]).map((choice) => this.#decision(choice));
      return [h("div", { class: "row" }, decisions)];
    }
    if (!choices || choices.length === 0) return this.#freeText(id, preset);
    const isShort = (/** @type {string} */ choice) => choice.length <= SHORT && !choice.includes("\n");
    if (choices.length > MOST_BUTTONS || !choices.every(isShort)) return this.#radios(id, choices, preset);
    return [
      h(
        "div",
        { class: "row" },
        choices.map((choice) => this.#button(choice, choice === preset ? `${choice} (default)` : choice, "button")),
      ),
    ];
  }

  /**
   * @param {string} id
   * @param {string | null} preset
   * @returns {Leaf[]}
   */
  #freeText(id, preset) {
    const area = h("textarea", { class: "input", name: "answer", rows: 2, "aria-labelledby": id }, preset);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
    return [
      area,
      h(
        "div",
        { class: "row" },
        h("button", { type: "submit", class: "button primary" }, "Answer"),
        h(
          "span",
          { class: "muted small" },
          h("kbd", null, "Ctrl"),
          " ",
          h("kbd", null, "Enter"),
          preset !== null && " · the text there is the default",
        ),
      ),
    ];
  }

  /**
   * @param {string} id
   * @param {string[]} choices
   * @param {string | null} preset
   * @returns {Leaf[]}
   */
  #radios(id, choices, preset) {
    return [
      h(
        "div",
        { class: "question-options", role: "radiogroup", "aria-labelledby": id },
        choices.map((choice, index) =>
          h(
            "label",
            { class: "option" },
            h(
              "input",
              { type: "radio", name: "answer", value: String(index), required: true, checked: choice === preset },
            ),
            h("span", { class: "wrap" }, choice),
            choice === preset && h("span", { class: "chip" }, "default"),
          ),
        ),
      ),
      h("div", null, h("button", { type: "submit", class: "button primary" }, "Answer")),
    ];
  }

  /**
   * @param {string} choice
   * @returns {HTMLElement}
   */
  #decision(choice) {
    return this.#button(choice, DECISIONS[choice] ?? choice, LOOKS[choice] ?? "button");
  }

  /**
   * @param {string} answer
   * @param {string} word
   * @param {string} look
   * @returns {HTMLElement}
   */
  #button(answer, word, look) {
    return h("button", { type: "button", class: look, on: { click: () => this.#send(answer) } }, word);
  }

  /** @returns {string | null} */
  #typed() {
    const given = new FormData(this.element).get("answer");
    if (typeof given !== "string") return null;
    return this.question.choices?.length ? this.question.choices[Number(given)] : given;
  }

  /** @param {string} text */
  async #send(text) {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    this.hadFocus = this.element.contains(before);
    this.fields.disabled = true;
    replace(this.#fault);
    const enable = () => {
      this.fields.disabled = false;
      if (this.hadFocus) before?.focus();
    };
    try {
      if (!(await this.answer(text))) enable();
    } catch (fault) {
      enable();
      this.#say(/** @type {ApiError} */ (fault));
    }
  }

  /** @param {ApiError} fault */
  #say(fault) {
    const gone = fault.status === 409;
    const look = () => {
      replace(this.#fault);
      /** @type {HTMLElement & {refresh(): void}} */ (this.element.closest("question-list")).refresh();
    };
    replace(
      this.#fault,
      h("p", { class: "field-fault" }, fault.message),
      fault.hint && h("p", { class: "muted small" }, fault.hint),
      gone && h("p", { class: "muted small" }, "The run went on in the meantime: somebody may have answered already. "),
      gone && h("button", { type: "button", class: "button small", on: { click: look } }, "Show what is open now"),
    );
  }
}
