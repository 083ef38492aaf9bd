/**
 * `<replay-here run-id [seq] [autostart]>`: replays a run up to a call, or to its end, from the record alone. Nothing is
 * stored and nothing leaves the machine.
 *
 * @import {Verification} from "../types.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { failure, loading } from "../components/notice.js";
import { define, h, replace } from "../dom.js";
import { verification } from "../history/verification.js";

class ReplayHere extends HTMLElement {
  #stop = new AbortController();
  #result = h("div", { class: "replay-result stack", "aria-live": "polite" });
  #current = h("input", { type: "checkbox" });
  #start = h("button", { type: "button", class: "button primary", on: { click: () => this.start() } });
  #cancel = h("button", { type: "button", class: "button", hidden: true, on: { click: () => this.#stop.abort() } }, "Stop");

  connectedCallback() {
    const seq = this.#seq;
    this.#start.textContent = seq === null ? "Replay the run" : `Replay to #${seq}`;
    const toggle = h("label", { class: "toggle" }, this.#current, h("span", null, "with the agent's file as it is now"));
    const promise = "Answers come from the record: no model call, no request, no cost. Nothing is stored.";
    replace(this, h("div", { class: "replay stack" }, h("p", { class: "muted small" }, promise), h("div", { class: "row" }, this.#start, this.#cancel, toggle), this.#result));
    if (this.hasAttribute("autostart")) void this.start();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  get #seq() {
    const text = this.getAttribute("seq");
    return text === null ? null : Number(text);
  }

  /** Replays; what an earlier replay found is replaced. */
  async start() {
    this.#stop.abort();
    const stop = (this.#stop = new AbortController());
    this.#setBusy(true);
    replace(this.#result, loading("Replaying from the record…"));
    try {
      const body = { until: this.#seq, current_source: this.#current.checked };
      /** @type {Verification} */
      const found = await api.post(sessionPath(this.getAttribute("run-id") ?? "", "verify"), body, { signal: stop.signal });
      replace(this.#result, ...verification(found));
    } catch (fault) {
      if (stop !== this.#stop) return;
      if (isAbort(fault)) replace(this.#result, h("p", { class: "muted" }, "Stopped. Nothing was changed by it."));
      else replace(this.#result, failure(fault, () => this.start()));
    } finally {
      if (stop === this.#stop) this.#setBusy(false);
    }
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    const hadFocus = document.activeElement === this.#start || document.activeElement === this.#cancel;
    this.#start.hidden = isBusy;
    this.#cancel.hidden = !isBusy;
    this.#current.disabled = isBusy;
    if (hadFocus) (isBusy ? this.#cancel : this.#start).focus();
  }
}

define("replay-here", ReplayHere);
