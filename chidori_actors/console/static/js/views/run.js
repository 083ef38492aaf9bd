/** `<run-view run-id>`: one run with everything about it: how it stands, its questions, and a tab for each way to see it. */

import { api, isAbort, sessionPath } from "../api.js";
import { confirmed } from "../components/dialog.js";
import { failure, loading } from "../components/notice.js";
import { toast, toastFault } from "../components/toast.js";
import { define, h, replace, tell } from "../dom.js";
import { currentRoute, changeQuery, routes, runPath, runsPath } from "../router.js";
import { goOn, isWanted } from "../run/going-on.js";
import { runHeader, runValues, standing } from "../run/header.js";
import { Latest, follow } from "../run/pulse.js";

/**
 * @import {Tab} from "../router.js"
 * @import {SessionView, TimelineView} from "../types.js"
 * @typedef {HTMLElement & {pulse?: (head: TimelineView) => void, selected?: number | null, questions?: unknown}} View
 */

/** @type {[Tab, string, string][]} */
const TABS = [
  ["timeline", "Timeline", "run-timeline"],
  ["calls", "Calls", "call-list"],
  ["forks", "Forks", "fork-tree"],
  ["compare", "Compare", "run-compare"],
  ["commands", "Source & commands", "take-away"],
];

/** The state of a busy run is read anew at most this often. */
const READ_EVERY_MS = 500;

class RunView extends HTMLElement {
  #leaving = new AbortController();
  #reading = new Latest(() => this.#read(), READ_EVERY_MS);
  #head = h("div", { class: "run-top" }, loading("Loading the run…"));
  #questions = h("div", { class: "run-questions" });
  #tabs = h("nav", { class: "tabs", "aria-label": "Views of the run" });
  #content = h("div", { class: "run-content" });
  #side = h("aside", { class: "run-side", "aria-label": "Call", hidden: true });
  #body = h("div", { class: "run-body" }, this.#content, this.#side);
  #voice = h("p", { class: "said", "aria-live": "polite" });
  /** @type {SessionView | null} */
  #run = null;
  /** @type {TimelineView | null} */
  #last = null;
  /** @type {View | null} */
  #view = null;
  #shown = "";
  #drawn = "";
  /** @type {Element | null} */
  #opener = null;

  get runId() {
    return this.getAttribute("run-id") ?? "";
  }

  connectedCallback() {
    const { signal } = (this.#leaving = new AbortController());
    replace(this, this.#head, this.#questions, this.#tabs, this.#body, this.#voice);
    this.addEventListener("open-call", (event) => this.#openCall(/** @type {CustomEvent} */ (event).detail.seq), { signal });
    this.addEventListener("close-call", () => this.#openCall(null), { signal });
    for (const name of ["run-changed", "call-changed"]) this.addEventListener(name, () => this.#reading.ask(), { signal });
    this.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    routes.addEventListener("route", () => this.#show(), { signal });
    this.#show();
    void this.#follow(signal);
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    void this.#reading.ask();
    try {
      await follow(this.runId, (head) => this.#pulse(head), signal);
    } catch (fault) {
      if (!isAbort(fault) && !signal.aborted && this.#run) toastFault(fault, "The run is not followed any more");
    }
  }

  /** @param {TimelineView} head */
  #pulse(head) {
    if (this.#last && this.#last.status !== head.status) this.#voice.textContent = standing(head);
    this.#last = head;
    this.#view?.pulse?.(head);
    /** @type {View | null} */ (this.#side.querySelector("call-detail"))?.pulse?.(head);
    void this.#reading.ask();
  }

  async #read() {
    const { signal } = this.#leaving;
    try {
      this.#run = await api.get(sessionPath(this.runId), { signal, exact: true });
      this.#draw();
    } catch (fault) {
      if (isAbort(fault) || signal.aborted) return;
      if (!this.#run) this.#tellFault(fault);
      else if (this.#last?.live !== true) toastFault(fault, "The run could not be read");
    }
  }

  /** There is nothing to show of the run. @param {unknown} fault */
  #tellFault(fault) {
    const body = [this.#tabs, this.#body];
    for (const each of body) each.hidden = true;
    const again = () => {
      for (const each of body) each.hidden = false;
      replace(this.#head, loading("Loading the run…"));
      this.disconnectedCallback();
      this.connectedCallback();
    };
    replace(this.#head, failure(fault, again), h("p", { class: "run-back" }, h("a", { href: runsPath() }, "All runs")));
  }

  #draw() {
    const run = this.#run;
    // What did not change stays: a detail that a person opened, and where the focus is.
    const drawn = JSON.stringify(run);
    if (!run || drawn === this.#drawn) return;
    this.#drawn = drawn;
    const open = [...this.#head.querySelectorAll("details")].map((each) => each.open);
    const focused = [...this.#head.querySelectorAll("button, a, summary")].indexOf(document.activeElement ?? this);
    replace(this.#head, runHeader(run, { cancel: () => this.#cancel(), retry: (changed) => this.#retry(changed) }), runValues(run));
    this.#head.querySelectorAll("details").forEach((each, index) => (each.open = open[index] ?? false));
    if (focused >= 0) /** @type {HTMLElement} */ ([...this.#head.querySelectorAll("button, a, summary")][focused])?.focus();
    const waiting = run.pending.length > 0;
    if (waiting && !this.#questions.firstChild) this.#questions.append(h("question-list", { "run-id": run.id }));
    if (!waiting) replace(this.#questions);
    const list = /** @type {View | null} */ (this.#questions.querySelector("question-list"));
    if (list) list.questions = run.pending;
  }

  #show() {
    const route = currentRoute();
    if (route.name !== "run" || route.id !== this.runId) return;
    replace(
      this.#tabs,
      ...TABS.map(([tab, word]) => {
        const href = runPath(this.runId, { tab, call: ["timeline", "calls"].includes(tab) ? route.call : null });
        return h("a", { href, "aria-current": tab === route.tab ? "page" : null }, word);
      }),
    );
    const key = `${route.tab} ${route.other ?? ""}`;
    if (key !== this.#shown) {
      this.#shown = key;
      const tag = TABS.find(([tab]) => tab === route.tab)?.[2] ?? "run-timeline";
      this.#view = h(tag, { "run-id": this.runId, other: route.other });
      replace(this.#content, this.#view);
    }
    if (this.#view && this.#view.localName !== "run-compare") this.#view.selected = route.call;
    this.#showCall(route.call);
  }

  /** @param {number | null} seq */
  #showCall(seq) {
    const shown = this.#side.querySelector("call-detail");
    this.#side.hidden = seq === null;
    this.classList.toggle("with-call", seq !== null);
    if (seq === null) {
      replace(this.#side);
      if (shown && this.#opener?.isConnected) /** @type {HTMLElement} */ (this.#opener).focus({ preventScroll: true });
      this.#opener = null;
    } else if (!shown) {
      this.#opener = document.activeElement;
      const panel = /** @type {View} */ (h("call-detail", { "run-id": this.runId, seq }));
      replace(this.#side, panel);
      if (this.#last) panel.pulse?.(this.#last);
    } else if (shown.getAttribute("seq") !== String(seq)) {
      shown.setAttribute("seq", String(seq));
    }
  }

  /** @param {number | null} seq */
  #openCall(seq) {
    changeQuery({ call: seq === null ? null : String(seq) }, { replace: currentRoute().name === "run" && !this.#side.hidden });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "Escape" || this.#side.hidden || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.#openCall(null);
  }

  async #cancel() {
    const reason = await confirmed({
      title: "Cancel this run",
      text: "The run and everything in it stops, model and HTTP calls under way included. What is recorded stays.",
      action: "Cancel run",
      danger: true,
      field: { label: "Reason (optional)" },
    });
    if (reason === null) return;
    await this.#act("The run was not cancelled", async () => {
      await api.post(sessionPath(this.runId, "cancel"), reason ? { reason } : {});
      toast("The run is cancelled.");
    });
  }

  /** @param {boolean} changed with the agent's files as they are now */
  async #retry(changed) {
    if (changed && !(await isWanted())) return;
    await this.#act("The run was not continued", async () => {
      const went = await goOn(this.runId, "resume", { retry: true, ...(changed && { allow_source_change: true }) });
      if (went) toast("The run goes on: what is recorded is answered from the record.", { tone: "run" });
    });
  }

  /** @param {string} fault @param {() => Promise<void>} work */
  async #act(fault, work) {
    try {
      await work();
      tell(this, "run-changed");
    } catch (error) {
      toastFault(error, fault);
    }
  }
}

define("run-view", RunView);
