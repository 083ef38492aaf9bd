/** `<call-detail run-id seq>`: everything about one call, as a panel beside the run. */

import { api, connection, isAbort, sessionPath } from "../api.js";
import { confirmed } from "../components/dialog.js";
import { failure, loading } from "../components/notice.js";
import { toast, toastFault } from "../components/toast.js";
import { define, h, replace, tell } from "../dom.js";
import { callAttempts, callChildren, callError, callFacts, callSource, callValues, queueBar } from "../run/call-parts.js";
import { Latest } from "../run/pulse.js";
import { badge } from "../state.js";

/** @import {CallDetail, TimelineView} from "../types.js" */

/** A streamed answer is read along this often. */
const STREAM_MS = 500;
const CONTAINERS = new Set(["parallel", "call_agent", "tool"]);

class CallDetailPanel extends HTMLElement {
  static observedAttributes = ["seq"];
  #leaving = new AbortController();
  #reading = new Latest(() => this.#read());
  #body = h("div", { class: "call-body" });
  #title = h("h2", { tabindex: -1 });
  #actions = h("div", { class: "call-actions" });
  #replay = h("div", { class: "call-replay" });
  /** @type {CallDetail | null} */
  #call = null;
  #drawn = "";
  #version = "";
  /** Whether the run is under way: of one at rest no part can be cancelled. */
  #live = false;
  #whole = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  #onOnline = () => this.#reading.ask();

  get runId() {
    return this.getAttribute("run-id") ?? "";
  }

  get seq() {
    return Number(this.getAttribute("seq"));
  }

  connectedCallback() {
    const close = h("button", { type: "button", class: "button quiet icon", "aria-label": "Close the call" }, "✕");
    close.addEventListener("click", () => tell(this, "close-call"));
    replace(this, h("div", { class: "call-head" }, this.#title, close), this.#actions, this.#replay, this.#body);
    this.#begin();
    connection.addEventListener("online", this.#onOnline);
    this.#title.focus({ preventScroll: true });
  }

  disconnectedCallback() {
    this.#leaving.abort();
    clearTimeout(this.#timer);
    connection.removeEventListener("online", this.#onOnline);
  }

  attributeChangedCallback() {
    if (this.isConnected && this.#title.isConnected) this.#begin();
  }

  /** The run changed. @param {TimelineView} head */
  pulse(head) {
    const known = head.version === this.#version;
    this.#version = head.version;
    if (this.#live !== head.live) {
      this.#live = head.live;
      if (this.#call) replace(this.#actions, ...this.#buttons(this.#call));
    }
    // What has ended does not change any more; what is being read may have changed since it was asked for.
    if (!known && (this.#call === null || this.#call.end_ms === null)) void this.#reading.ask();
  }

  #begin() {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    this.#call = null;
    this.#drawn = "";
    this.#whole = false;
    this.#title.textContent = `Call #${this.seq}`;
    replace(this.#actions);
    replace(this.#replay);
    replace(this.#body, loading("Loading the call…"));
    void this.#reading.ask();
  }

  async #read() {
    clearTimeout(this.#timer);
    const { signal } = this.#leaving;
    try {
      const query = this.#whole ? { whole: 1 } : undefined;
      const call = /** @type {CallDetail} */ (await api.get(sessionPath(this.runId, "calls", this.seq), { query, signal, exact: true }));
      if (signal.aborted) return;
      this.#call = call;
      if (!this.#grow(call)) this.#draw(call);
      if (call.stream?.live) this.#timer = setTimeout(() => this.#reading.ask(), STREAM_MS);
    } catch (fault) {
      if (isAbort(fault) || signal.aborted) return;
      if (!this.#call) replace(this.#body, failure(fault, () => this.#begin()));
      else if (this.#call.end_ms === null) this.#timer = setTimeout(() => this.#reading.ask(), 4 * STREAM_MS);
    }
  }

  /** Only more of a streamed text: it is added to what stands there, so that a person can read on. @param {CallDetail} call */
  #grow(call) {
    const place = /** @type {HTMLElement | null} */ (this.#body.querySelector("[data-stream]"));
    const before = place?.textContent ?? "";
    const still = call.stream?.live && this.#drawn === withoutStream(call);
    if (!place || !still || !call.stream?.text.startsWith(before)) return false;
    place.append(call.stream.text.slice(before.length));
    return true;
  }

  /** @param {CallDetail} call */
  #draw(call) {
    const drawn = withoutStream(call);
    if (drawn === this.#drawn && !call.stream) return;
    this.#drawn = drawn;
    const open = new Set([...this.#body.querySelectorAll("details[open] > summary")].map((each) => each.textContent));
    this.#title.textContent = `#${call.seq} ${call.function}`;
    replace(this.#actions, ...this.#buttons(call));
    const asked = call.question && h("question-list", { "run-id": this.runId, seq: call.seq });
    if (asked) Object.assign(asked, { questions: [call.question] });
    const whole = () => {
      this.#whole = true;
      void this.#reading.ask();
    };
    replace(
      this.#body,
      h("div", { class: "call-summary" }, badge(call.recorded && call.state === "done" ? "recorded" : call.state), h("span", { class: "wrap" }, call.label)),
      asked,
      callError(call),
      callFacts(call, this.runId),
      queueBar(call),
      callSource(call),
      ...callValues(call, whole),
      callAttempts(call),
      callChildren(call),
    );
    for (const each of this.#body.querySelectorAll("details")) each.open = open.has(each.querySelector("summary")?.textContent ?? "");
  }

  /** @param {CallDetail} call */
  #buttons(call) {
    const ended = call.end_ms !== null && call.state !== "cancelled";
    const attributes = { "run-id": this.runId, seq: call.seq };
    const replay = () => replace(this.#replay, h("replay-here", { ...attributes, autostart: true }));
    const edit = () => this.append(h("edit-fork", attributes));
    return [
      ended && h("button", { type: "button", class: "button small", on: { click: replay } }, "Replay to here"),
      ended && h("button", { type: "button", class: "button small primary", on: { click: edit } }, "Edit and fork"),
      this.#live && !ended && CONTAINERS.has(call.function) && call.state !== "cancelled" && h("button", { type: "button", class: "button small danger", on: { click: () => this.#cancel(call) } }, "Cancel this part"),
    ];
  }

  /** @param {CallDetail} call */
  async #cancel(call) {
    const reason = await confirmed({
      title: `Cancel #${call.seq} ${call.function}`,
      text: "What is inside of this call stops. The agent sees the call fail with your reason and goes on from there.",
      action: "Cancel this part",
      danger: true,
      field: { label: "Reason (optional)" },
    });
    if (reason === null) return;
    try {
      await api.post(sessionPath(this.runId, "cancel"), { seq: call.seq, ...(reason && { reason }) });
      toast(`Call #${call.seq} is cancelled.`);
      tell(this, "call-changed", { seq: call.seq });
      void this.#reading.ask();
    } catch (fault) {
      toastFault(fault, "Nothing was cancelled");
    }
  }
}

/** @param {CallDetail} call @returns {string} what tells two states of a call apart, its streamed text and its clock aside */
function withoutStream(call) {
  return JSON.stringify({ ...call, stream: call.stream?.live, queue: call.end_ms === null ? null : call.queue, duration_ms: null });
}

define("call-detail", CallDetailPanel);
