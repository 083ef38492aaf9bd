/**
 * `<edit-fork run-id seq>`: edits what a call answered and starts a run that goes on from there. It is a dialog that
 * opens when the element stands in the page; the element leaves the page with it.
 *
 * @import {BranchPreview, CallDetail} from "../types.js"
 * @import {RecordedCall, ResultKind} from "../history/draft.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { openDialog } from "../components/dialog.js";
import { failure, loading } from "../components/notice.js";
import { define, h, replace } from "../dom.js";
import { jsonText, oneLine } from "../format.js";
import { branchBody, resultKind } from "../history/draft.js";
import { forkPreview } from "../history/fork-preview.js";
import { OutcomeEditor } from "../history/outcome-editor.js";
import { navigate, runPath } from "../router.js";

const PREVIEW_DELAY_MS = 350;

class EditFork extends HTMLElement {
  #stop = new AbortController();
  #asked = new AbortController();
  /** @type {number | undefined} */
  #timer;
  /** @type {ReturnType<typeof openDialog> | null} */
  #dialog = null;
  #outcome = new OutcomeEditor();
  /** @type {ResultKind} */
  #kind = "json";
  #isStarting = false;
  #note = h("input", { type: "text", class: "input", maxlength: 500, autocomplete: "off" });
  #preview = h("div", { class: "fork-preview" });
  #refusal = h("div", { class: "edit-refusal" });
  #start = h("button", { type: "submit", class: "button primary" }, "Start fork");
  #body = h("div");

  connectedCallback() {
    if (this.#dialog !== null) return;
    this.#stop = new AbortController();
    this.#outcome.addEventListener("draft-changed", () => this.#onChange());
    const mayClose = () => this.#mayClose();
    this.#dialog = openDialog({ title: `Edit call #${this.#seq} and fork`, content: this.#body, wide: true, mayClose });
    this.#dialog.element.classList.add("edit-dialog");
    void this.#dialog.closed.then(() => this.remove());
    void this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#asked.abort();
    clearTimeout(this.#timer);
    this.#dialog?.close();
    this.#dialog = null;
  }

  get #seq() {
    return Number(this.getAttribute("seq"));
  }

  get #runId() {
    return this.getAttribute("run-id") ?? "";
  }

  async #load() {
    replace(this.#body, loading("Reading the call…"));
    const { signal } = this.#stop;
    const path = sessionPath(this.#runId, "calls", this.#seq);
    try {
      /** @type {CallDetail} */
      let call = await api.get(path, { signal, exact: true });
      if (call.truncated.args || call.truncated.result) call = await api.get(path, { query: { whole: 1 }, signal, exact: true });
      const preview = await this.#firstPreview(/** @type {RecordedCall} */ (call));
      this.#kind = preview?.result_kind ?? resultKind(/** @type {RecordedCall} */ (call));
      this.#show(call, preview);
    } catch (fault) {
      if (!isAbort(fault)) replace(this.#body, failure(fault, () => this.#load()));
    }
  }

  /**
   * Any error will do to hear what the fork shares and which editor the call takes; a result might be refused.
   *
   * @param {RecordedCall} call
   * @returns {Promise<BranchPreview | null>} null: the call cannot be forked at; the refusal is shown
   */
  async #firstPreview(call) {
    const body = call.error !== null || call.function === "env" ? { error: call.error?.message ?? "no value" } : { result: call.result };
    try {
      return await this.#ask({ at: this.#seq, ...body });
    } catch (fault) {
      if (isAbort(fault)) throw fault;
      replace(this.#refusal, failure(fault));
      return null;
    }
  }

  /** @param {CallDetail} call @param {BranchPreview | null} preview */
  #show(call, preview) {
    this.#outcome.begin(/** @type {RecordedCall} */ (call), this.#kind, preview?.choices ?? null);
    if (preview === null) replace(this.#preview, h("p", { class: "muted" }, "What the fork would do shows here once its answer is one that the call can give."));
    else replace(this.#preview, ...forkPreview(preview, this.#runId));
    const heading = h("p", { class: "edit-call" }, h("code", null, call.function), " ", oneLine(call.label, 160));
    const left = h("div", { class: "edit-outcome stack" }, heading, recorded(call), this.#outcome, this.#noteField());
    const right = h("section", { class: "edit-effect stack", "aria-labelledby": "edit-effect" }, h("h3", { id: "edit-effect" }, "What the fork does"), this.#preview);
    const leave = h("button", { type: "button", class: "button", on: { click: () => this.#mayClose() && this.#dialog?.close() } }, "Cancel");
    const actions = h("div", { class: "edit-actions" }, this.#refusal, h("div", { class: "dialog-actions" }, leave, this.#start));
    this.#note.addEventListener("input", () => this.#onChange(), { signal: this.#stop.signal });
    const form = h("form", { class: "edit-form" }, h("div", { class: "edit-columns" }, left, right), actions);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#fork();
    });
    replace(this.#body, form);
    this.#start.disabled = this.#outcome.fault !== null;
    this.#outcome.focus();
  }

  #noteField() {
    const why = h("span", null, "Note ", h("span", { class: "muted" }, "why, kept in the record"));
    return h("label", { class: "field" }, why, this.#note);
  }

  #onChange() {
    replace(this.#refusal);
    clearTimeout(this.#timer);
    this.#asked.abort();
    const isValid = this.#outcome.fault === null;
    this.#start.disabled = !isValid;
    this.#preview.classList.toggle("stale", true);
    if (isValid) this.#timer = setTimeout(() => this.#previewAgain(), PREVIEW_DELAY_MS);
  }

  async #previewAgain() {
    try {
      const preview = await this.#ask(this.#edit());
      replace(this.#preview, ...forkPreview(preview, this.#runId));
      this.#preview.classList.remove("stale");
    } catch (fault) {
      if (!isAbort(fault)) replace(this.#refusal, failure(fault));
    }
  }

  /**
   * @param {object} body
   * @returns {Promise<BranchPreview>}
   */
  #ask(body) {
    this.#asked.abort();
    this.#asked = new AbortController();
    const signal = AbortSignal.any([this.#asked.signal, this.#stop.signal]);
    return api.post(sessionPath(this.#runId, "branch", "preview"), body, { signal });
  }

  #edit() {
    return branchBody({ ...this.#outcome.draft, note: this.#note.value }, this.#kind, this.#seq);
  }

  async #fork() {
    if (this.#isStarting || this.#outcome.fault !== null) return;
    const body = this.#edit();
    this.#setStarting(true);
    replace(this.#refusal);
    try {
      const view = await api.post(sessionPath(this.#runId, "branch"), body, { prefer: "respond-async", signal: this.#stop.signal });
      this.#dialog?.close();
      navigate(runPath(view.id));
    } catch (fault) {
      if (!isAbort(fault)) replace(this.#refusal, failure(fault));
    } finally {
      this.#setStarting(false);
    }
  }

  /** @param {boolean} isStarting */
  #setStarting(isStarting) {
    this.#isStarting = isStarting;
    this.#start.disabled = isStarting;
    this.#start.textContent = isStarting ? "Starting…" : "Start fork";
  }

  /** Whether nothing that was typed is lost by it; otherwise the person is asked, in the place of a refusal. */
  #mayClose() {
    if (this.#dialog === null || !this.#body.contains(this.#start) || (this.#outcome.isUnchanged && this.#note.value === "")) return true;
    const stay = h("button", { type: "button", class: "button small" }, "Keep editing");
    const discard = h("button", { type: "button", class: "button small danger", on: { click: () => this.#dialog?.close() } }, "Discard");
    stay.addEventListener("click", () => {
      replace(this.#refusal);
      this.#outcome.focus();
    });
    replace(this.#refusal, h("div", { class: "notice row", role: "alert" }, "Discard what you changed?", stay, discard));
    stay.focus();
    return false;
  }
}

/** @param {CallDetail} call */
function recorded(call) {
  const failed = call.error !== null;
  const text = failed ? (call.error?.message ?? "") : typeof call.result === "string" ? call.result : jsonText(call.result);
  const title = h("summary", null, failed ? "Recorded error" : call.edited ? "Recorded result, itself edited" : "Recorded result");
  const content = h("pre", { class: failed ? "recorded-text tone-bad" : "recorded-text", tabindex: 0, "aria-label": "What was recorded" }, text);
  return h("details", { class: "recorded", open: true }, title, content);
}

define("edit-fork", EditFork);
