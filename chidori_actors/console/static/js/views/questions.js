/**
 * `<question-list run-id>`: the open questions of a run, to be answered in any order. Whoever has the session's view
 * sets `questions` to its `pending`; without that the element asks for it. What is typed stays while others come and
 * go. Tells `run-changed` with `{view}` after an answer.
 *
 * @import {Question, SessionView} from "../types.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { failure, loading } from "../components/notice.js";
import { toast, toastFault } from "../components/toast.js";
import { define, h, replace, tell } from "../dom.js";
import { counted } from "../format.js";
import { QuestionForm } from "../questions/form.js";
import { goOn } from "../run/going-on.js";

class QuestionList extends HTMLElement {
  /** @type {Question[] | null} */
  #questions = null;
  /** @type {Map<string, QuestionForm>} by seq and kind: a call may be asked about more than once */
  #forms = new Map();
  #title = h("h2", { tabindex: "-1" });
  #list = h("div", { class: "questions" });
  #leaving = new AbortController();

  get questions() {
    return this.#questions;
  }

  /** @param {Question[] | null} questions null: ask the server */
  set questions(questions) {
    this.#questions = questions;
    if (!this.isConnected) return;
    if (questions === null) this.#load();
    else this.#show(questions);
  }

  get runId() {
    return this.getAttribute("run-id") ?? "";
  }

  connectedCallback() {
    this.#leaving = new AbortController();
    if (this.#questions === null) this.#load();
    else this.#show(this.#questions);
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  async #load() {
    if (!this.firstChild) replace(this, loading("Loading the questions…"));
    try {
      const view = await api.get(sessionPath(this.runId), { signal: this.#leaving.signal, exact: true });
      this.questions = /** @type {SessionView} */ (view).pending;
    } catch (fault) {
      if (isAbort(fault)) return;
      if (this.#forms.size > 0) toastFault(fault, "The questions were not refreshed");
      else replace(this, failure(fault, () => this.#load()));
    }
  }

  /** @param {Question[]} questions */
  #show(questions) {
    this.hidden = questions.length === 0;
    let hadFocus = this.#list.contains(document.activeElement);
    const keys = new Set(questions.map(keyOf));
    for (const [key, form] of this.#forms) {
      if (keys.has(key)) continue;
      hadFocus ||= form.hadFocus && document.activeElement === document.body;
      form.element.remove();
      this.#forms.delete(key);
    }
    for (const question of questions) {
      const key = keyOf(question);
      if (this.#forms.has(key)) continue;
      const form = new QuestionForm(question, (answer) => this.#answer(question, answer));
      this.#forms.set(key, form);
      this.#list.append(form.element);
    }
    replace(this.#title, `${counted(questions.length, "question")} waiting for an answer`);
    if (this.#list.parentNode !== this) replace(this, this.#title, this.#list);
    // The form that had the focus was answered, here or elsewhere: go on with the next one.
    if (hadFocus && !this.#list.contains(document.activeElement)) {
      /** @type {HTMLElement} */ (this.#list.querySelector("input, textarea, button") ?? this.#title).focus();
    }
  }

  /**
   * @param {Question} question
   * @param {string} answer
   */
  async #answer(question, answer) {
    const { seq, kind } = question;
    /** @type {["resume" | "approve", {[field: string]: unknown}]} */
    const [route, body] = kind === "input" ? ["resume", { response: answer, seq }] : ["approve", { decision: answer, seq }];
    const view = await goOn(this.runId, route, body);
    if (view === null) return false;
    this.#forms.get(keyOf(question))?.markAnswered();
    toast(`Question #${seq} is answered.`);
    tell(this, "run-changed", { view });
    this.questions = view.pending.filter((other) => keyOf(other) !== keyOf(question));
    return true;
  }

  /** Asks the server what is open now: somebody else may have answered. */
  refresh() {
    this.#load();
    tell(this, "run-changed", {});
  }
}

/**
 * @param {Question} question
 * @returns {string}
 */
function keyOf({ seq, kind }) {
  return `${seq} ${kind}`;
}

define("question-list", QuestionList);
