/** `<call-list run-id>`: the calls of a run as a table, in the order in which they began. Only visible rows are elements. */

import { api, connection, isAbort, sessionPath } from "../api.js";
import { empty, failure, loading } from "../components/notice.js";
import { define, h, replace } from "../dom.js";
import { counted, duration, tokens } from "../format.js";
import { runPath } from "../router.js";
import { Pages } from "../run/pages.js";
import { badge } from "../state.js";

/** @import {CallRow, TimelineView} from "../types.js" */

const ROW = 34;
const OVERSCAN = 12;
const PAGE = 100;
const SEARCH_DELAY_MS = 200;
const RENEW_MS = 1000;
const COLUMNS = ["#", "State", "Function", "Call", "Actor", "Began", "Took", "Tokens"];
const FUNCTIONS = [
  ...["prompt", "input", "tool", "call_agent", "parallel", "http", "template", "memory"],
  ...["checkpoint", "log", "timer", "env", "exec_js", "exec_python", "exec"],
];
const STATES = ["running", "waiting", "done", "failed", "cancelled"];

class CallList extends HTMLElement {
  #leaving = new AbortController();
  /** @type {Pages<CallRow>} */
  #pages = new Pages(PAGE, (offset, limit) => this.#get(offset, limit), () => this.#draw(), (fault) => this.#fail(fault));
  #search = h("input", { type: "search", class: "input", placeholder: "Search label, args, result, error", "aria-label": "Search the calls" });
  #function = choice("Function", FUNCTIONS);
  #state = choice("State", STATES);
  #actor = h("input", { type: "search", class: "input", placeholder: "Actor, e.g. 7/b1", "aria-label": "Actor" });
  #number = h("p", { class: "muted small", role: "status" });
  #rows = h("tbody");
  #table = h(
    "table",
    { class: "calls-table", "aria-label": "Calls" },
    h("thead", null, h("tr", { "aria-rowindex": 1 }, ...COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
    this.#rows,
  );
  #scroll = h("div", { class: "calls-scroll", tabindex: -1 }, this.#table);
  #message = h("div");
  #started = 0;
  #version = "";
  /** @type {number | null} */
  #selected = null;
  #current = 0;
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewing;

  connectedCallback() {
    const { signal } = (this.#leaving = new AbortController());
    const filters = h("form", { class: "calls-filters", role: "search" }, this.#search, this.#state, this.#function, this.#actor, this.#number);
    replace(this, filters, this.#scroll, this.#message);
    filters.addEventListener("submit", (event) => event.preventDefault(), { signal });
    filters.addEventListener("input", () => this.#filter(), { signal });
    this.#scroll.addEventListener("scroll", () => this.#later(), { signal, passive: true });
    this.#scroll.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.#rows.addEventListener("click", (event) => this.#onClick(event), { signal });
    connection.addEventListener("online", () => this.#draw(), { signal });
    const sizes = new ResizeObserver(() => this.#later());
    sizes.observe(this.#scroll);
    signal.addEventListener("abort", () => sizes.disconnect());
    this.#draw();
  }

  disconnectedCallback() {
    this.#leaving.abort();
    clearTimeout(this.#typing);
    clearTimeout(this.#renewing);
    this.#renewing = undefined;
  }

  /** The run changed. @param {TimelineView} head */
  pulse(head) {
    this.#started = head.started_ms;
    if (head.version === this.#version) return;
    this.#version = head.version;
    this.#renewing ??= setTimeout(() => {
      this.#renewing = undefined;
      this.#pages.renew();
      this.#draw();
    }, RENEW_MS);
  }

  /** @param {number | null} seq the call whose detail is open */
  set selected(seq) {
    this.#selected = seq;
    this.#later();
  }

  get selected() {
    return this.#selected;
  }

  /** @param {number} offset @param {number} limit */
  async #get(offset, limit) {
    const query = {
      ...{ offset, limit },
      search: this.#search.value.trim(),
      state: this.#state.value,
      function: this.#function.value,
      actor: this.#actor.value.trim(),
    };
    const { signal } = this.#leaving;
    const page = await api.get(sessionPath(this.getAttribute("run-id") ?? "", "calls"), { query, signal });
    if (this.#version === "") this.#version = page.version;
    if (this.#started === 0 && offset === 0 && page.calls[0]) this.#started = page.calls[0].begin_ms;
    return { rows: page.calls, total: page.total };
  }

  #filter() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => {
      this.#pages.clear();
      this.#current = 0;
      this.#scroll.scrollTop = 0;
      this.#draw();
    }, SEARCH_DELAY_MS);
  }

  #later() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { scrollTop, clientHeight } = this.#scroll;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - OVERSCAN);
    const last = first + Math.ceil(clientHeight / ROW) + 2 * OVERSCAN;
    this.#pages.need(first, last);
    const { total, loaded } = this.#pages;
    this.#scroll.hidden = loaded && total === 0;
    if (!loaded) return replace(this.#message, loading("Loading the calls…"));
    this.#number.textContent = counted(total, "call");
    const filtered = this.#search.value || this.#state.value || this.#function.value || this.#actor.value;
    const none = filtered ? empty("No call is like that.", "Take a filter away to see more.") : empty("No call yet.", "The agent has asked nothing of the world so far.");
    replace(this.#message, total === 0 && none);
    this.#fill(first, Math.min(last, total - 1));
    return undefined;
  }

  /** @param {number} first @param {number} last */
  #fill(first, last) {
    const { total } = this.#pages;
    const focused = this.#scroll.contains(document.activeElement);
    this.#table.setAttribute("aria-rowcount", String(total + 1));
    const rows = [];
    for (let index = first; index <= last; index++) rows.push(this.#row(index));
    replace(this.#rows, space(first), ...rows, space(Math.max(0, total - 1 - last)));
    if (focused) this.#focus();
  }

  /** @param {number} index */
  #row(index) {
    const call = this.#pages.row(index);
    if (!call) return h("tr", { class: "calls-blank", "aria-rowindex": index + 2 }, h("td", null, "…"));
    const href = runPath(this.getAttribute("run-id") ?? "", { tab: "calls", call: call.seq });
    const link = h("a", { href, tabindex: index === this.#current ? 0 : -1, "aria-label": `Call ${call.seq}` }, String(call.seq));
    const text = call.error ?? call.label;
    return h(
      "tr",
      { "aria-rowindex": index + 2, "aria-selected": call.seq === this.#selected ? "true" : null, class: call.seq === this.#selected ? "chosen" : null, dataset: { index } },
      h("td", { class: "calls-seq" }, link),
      h("td", null, badge(call.recorded && call.state === "done" ? "recorded" : call.state)),
      h("td", { class: "mono" }, call.function),
      h("td", { class: call.error ? "calls-label calls-error" : "calls-label", title: text }, h("span", { class: "calls-short mono" }, `${call.function} `), text),
      h("td", { class: "mono muted calls-actor", title: call.actor }, call.actor || "root"),
      h("td", { class: "number" }, duration(call.begin_ms - this.#started)),
      h("td", { class: "number" }, call.end_ms === null ? "…" : duration(call.end_ms - call.begin_ms)),
      h("td", { class: "number muted", title: call.model }, tokens(call.input_tokens, call.output_tokens)),
    );
  }

  /** @param {MouseEvent} event  all of the row opens its call, not the number alone */
  #onClick(event) {
    const target = /** @type {Element} */ (event.target);
    const row = target.closest("tr");
    if (!row?.dataset.index) return;
    this.#current = Number(row.dataset.index);
    if (!target.closest("a") && getSelection()?.isCollapsed !== false) row.querySelector("a")?.click();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const page = Math.max(1, Math.floor(this.#scroll.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined) return;
    event.preventDefault();
    this.#current = Math.max(0, Math.min(this.#pages.total - 1, this.#current + step));
    const top = this.#current * ROW;
    const head = this.#table.tHead?.offsetHeight ?? 0;
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top;
    const under = top + ROW + head - this.#scroll.clientHeight;
    if (under > this.#scroll.scrollTop) this.#scroll.scrollTop = under;
    this.#draw();
  }

  /** The row that the keyboard is at may not be there, or not yet: then its keys go on from the table. */
  #focus() {
    const row = /** @type {HTMLElement | null} */ (this.#rows.querySelector(`tr[data-index="${this.#current}"] a`));
    (row ?? this.#scroll).focus({ preventScroll: true });
  }

  /** @param {unknown} fault */
  #fail(fault) {
    if (!isAbort(fault)) replace(this.#message, failure(fault, () => this.#draw()));
  }
}

/** The height of rows that are not there. It spans no columns: those that a narrow page hides would come back. @param {number} rows */
function space(rows) {
  const row = h("tr", { class: "calls-space", "aria-hidden": "true" }, h("td"));
  row.style.height = `${rows * ROW}px`;
  row.hidden = rows === 0;
  return row;
}

/** @param {string} name @param {string[]} values */
function choice(name, values) {
  const options = values.map((value) => h("option", { value }, value));
  return h("select", { class: "input", "aria-label": name }, h("option", { value: "" }, `${name}: all`), ...options);
}

define("call-list", CallList);
