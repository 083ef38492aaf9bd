/**
 * `<run-compare run-id [other]>`: two runs call by call, paired by path, and their outputs. Without `other` it asks which.
 *
 * @import {CallComparison, Comparison, CompareRow, SessionItem} from "../types.js"
 * @import {Kind} from "../history/compare-rows.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { empty, failure, loading } from "../components/notice.js";
import { timeAgo } from "../components/time.js";
import { define, h, replace } from "../dom.js";
import { count, counted, oneLine, shortId } from "../format.js";
import { cutNote, diff, kindChip, pairDetail, pairRow } from "../history/compare-rows.js";
import { choosePartner } from "../history/compare-partner.js";
import { runPath } from "../router.js";
import { badge, runState } from "../state.js";

const PAGE = 100;

class RunCompare extends HTMLElement {
  #stop = new AbortController();
  #offset = 0;
  #onlyChanged = true;
  /** @type {HTMLElement} */
  #table = h("div");

  connectedCallback() {
    this.#stop = new AbortController();
    this.#offset = 0;
    if (this.#runs.right === "") void choosePartner(this, this.#runs.left, this.#stop.signal);
    else void this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  get #runs() {
    return { left: this.getAttribute("run-id") ?? "", right: this.getAttribute("other") ?? "" };
  }

  async #load() {
    replace(this, loading("Comparing call by call…"));
    try {
      this.#show(await this.#page());
    } catch (fault) {
      if (!isAbort(fault)) replace(this, failure(fault, () => this.#load()));
    }
  }

  /** @returns {Promise<Comparison>} */
  #page() {
    const { left, right } = this.#runs;
    const query = { offset: this.#offset, limit: PAGE, only: this.#onlyChanged ? "changed" : "all" };
    return api.get(sessionPath(left, "compare", right), { query, signal: this.#stop.signal });
  }

  /** @param {Comparison} found */
  #show(found) {
    const { left, right } = this.#runs;
    const swap = h("a", { class: "button small", href: runPath(right, { tab: "compare", other: left }) }, "⇄ Swap");
    const only = h("input", { type: "checkbox", checked: this.#onlyChanged });
    only.addEventListener("change", () => {
      this.#onlyChanged = only.checked;
      void this.#turnTo(0);
    });
    const filter = h("label", { class: "toggle push" }, only, h("span", null, "only what differs"));
    const calls = h("section", { class: "stack", "aria-labelledby": "compare-calls" }, h("div", { class: "row" }, h("h2", { id: "compare-calls" }, "Calls"), counts(found), filter), this.#table);
    const runs = h("div", { class: "compare-runs" }, runCard("Left", found.left, right), swap, runCard("Right", found.right, left));
    replace(this, h("div", { class: "compare" }, runs, this.#unfinished(found), this.#output(found), calls));
    this.#showRows(found);
  }

  /** @param {Comparison} found */
  #unfinished({ left, right }) {
    if (left.status !== "running" && right.status !== "running") return null;
    const again = h("button", { type: "button", class: "button small", on: { click: () => this.#load() } }, "Compare again");
    return h("p", { class: "row" }, "A run is still under way: this is how far it is.", again);
  }

  /** @param {Comparison} found */
  #output({ output, left, right }) {
    const ended = left.status === "completed" && right.status === "completed";
    const title = h("h2", { id: "compare-output" }, "Output");
    const verdict = output.same ? kindChip("same") : kindChip("changed");
    const content = output.same && ended ? h("p", { class: "muted" }, "Both runs gave the same.") : diff(output.lines, "Outputs of the two runs", this.#runs);
    const neither = output.left === null && output.right === null && !ended;
    return h("section", { class: "stack", "aria-labelledby": "compare-output" }, h("div", { class: "row" }, title, !neither && verdict), neither ? h("p", { class: "muted" }, "Neither run has an output.") : content, output.cut && cutNote());
  }

  /** @param {number} offset */
  async #turnTo(offset) {
    this.#offset = offset;
    this.#table.classList.add("stale");
    try {
      this.#showRows(await this.#page());
    } catch (fault) {
      if (!isAbort(fault)) replace(this.#table, failure(fault, () => this.#turnTo(offset)));
    } finally {
      this.#table.classList.remove("stale");
    }
  }

  /** @param {Comparison} found */
  #showRows(found) {
    if (found.rows.length === 0) return replace(this.#table, this.#nothing(found));
    const heads = ["What", "Path", "Left", "Right"].map((word) => h("th", { scope: "col", role: "columnheader" }, word));
    const body = h("tbody", { role: "rowgroup" }, found.rows.map((row) => this.#row(row)));
    const head = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads));
    const table = h("table", { class: "pairs", role: "table" }, h("caption", { class: "said" }, "Calls of the two runs, paired by path"), head, body);
    return replace(this.#table, table, this.#pager(found));
  }

  /** @param {Comparison} found */
  #nothing({ shared, counts: numbers }) {
    if (!this.#onlyChanged) return empty("No calls", "Neither run has made a call.");
    return empty("No call differs", `${counted(shared + numbers.same, "call")} of the two runs are the same.`);
  }

  /** @param {CompareRow} row */
  #row(row) {
    /** @type {HTMLElement | null} */
    let detail = null;
    const toggle = () => {
      detail?.remove();
      detail = detail === null ? this.#detail(row.path) : null;
      const shown = pairRow(row, detail !== null, toggle);
      line.replaceWith(shown);
      line = shown;
      if (detail !== null) line.after(detail);
      line.querySelector("button")?.focus();
    };
    let line = pairRow(row, false, toggle);
    return line;
  }

  /** @param {string} path */
  #detail(path) {
    const content = h("div", { class: "pair-detail stack" });
    const { left, right } = this.#runs;
    const load = async () => {
      replace(content, loading("Reading both calls…"));
      try {
        /** @type {CallComparison} */
        const pair = await api.get(sessionPath(left, "compare", right, "calls"), { query: { path }, signal: this.#stop.signal });
        replace(content, ...pairDetail(pair, this.#runs));
      } catch (fault) {
        if (!isAbort(fault)) replace(content, failure(fault, load));
      }
    };
    void load();
    return h("tr", { role: "row", class: "pair-open" }, h("td", { role: "cell", colspan: 4 }, content));
  }

  /** @param {Comparison} found */
  #pager({ total, offset, rows }) {
    if (total <= rows.length) return null;
    const button = (/** @type {string} */ word, /** @type {number} */ to, /** @type {boolean} */ disabled) => {
      return h("button", { type: "button", class: "button small", disabled, on: { click: () => this.#turnTo(to) } }, word);
    };
    const end = offset + rows.length;
    return h(
      "nav",
      { class: "row pager", "aria-label": "Pages of calls" },
      button("← Earlier", Math.max(0, offset - PAGE), offset === 0),
      h("span", { role: "status" }, `${count(offset + 1)}–${count(end)} of ${count(total)}`),
      button("Later →", offset + PAGE, end >= total),
    );
  }
}

/** @param {Comparison} found */
function counts({ shared, counts: numbers }) {
  /** @type {[Kind, number][]} */
  const all = [
    ["shared", shared],
    ["same", numbers.same],
    ["changed", numbers.changed],
    ["left_only", numbers.left_only],
    ["right_only", numbers.right_only],
  ];
  return h("span", { class: "row kind-counts" }, all.filter(([, number]) => number > 0).map(([kind, number]) => kindChip(kind, `${count(number)} `)));
}

/** @param {string} title @param {SessionItem} run @param {string} other id of the other run */
function runCard(title, run, other) {
  const branch = run.branch?.parent_run_id === other ? (run.branch.at_seq === null ? "replay of the other" : `fork of the other at #${run.branch.at_seq}`) : null;
  return h(
    "section",
    { class: "panel compare-run", "aria-label": `${title} run` },
    h("div", { class: "row" }, h("span", { class: "muted small" }, title), h("a", { href: runPath(run.id), class: "mono", title: run.id }, shortId(run.id)), badge(runState(run))),
    h("div", { class: "row small muted" }, run.agent, " · ", counted(run.call_count, "call"), " · ", timeAgo(run.created_at)),
    branch !== null && h("div", { class: "small" }, branch),
    run.error !== null && h("div", { class: "pair-error" }, oneLine(run.error, 200)),
  );
}

define("run-compare", RunCompare);
