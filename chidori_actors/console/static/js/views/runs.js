/** `<runs-view>`: the runs of the store, newest first, as they change. */

/**
 * @import {Listed} from "../runs/feed.js"
 */

import { ApiError, connection, isAbort } from "../api.js";
import { empty, failure, loading } from "../components/notice.js";
import { toastFault } from "../components/toast.js";
import { define, h, replace } from "../dom.js";
import { counted } from "../format.js";
import { currentRoute, routes, runsPath } from "../router.js";
import { RunFeed } from "../runs/feed.js";
import { filtersOf, RunFilters } from "../runs/filters.js";
import { RunRow } from "../runs/row.js";

const COLUMNS = ["State", "Run", "Calls", "Took", "Started"];

class RunsView extends HTMLElement {
  #filters = new RunFilters();
  #rows = h("tbody", { role: "rowgroup" });
  #table = table(this.#rows);
  #notice = h("div");
  #said = h("p", { class: "muted small", role: "status" });
  #more = h(
    "button",
    { type: "button", class: "button", hidden: true, on: { click: () => this.#loadMore() } },
    "Load older runs",
  );
  /** @type {Map<string, RunRow>} */
  #byId = new Map();
  /** @type {RunFeed | null} */
  #feed = null;
  #shown = "";
  #leaving = new AbortController();
  #feeding = new AbortController();

  connectedCallback() {
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    if (!this.firstChild) {
      const title = h("div", { class: "runs-title" }, h("h1", null, "Runs"), this.#said);
      replace(
        this,
        title,
        this.#filters.element,
        this.#table,
        this.#notice,
        h("div", { class: "runs-more" }, this.#more),
      );
      replace(this.#notice, loading("Loading the runs…"));
    }
    routes.addEventListener("route", () => this.#onRoute(), { signal });
    connection.addEventListener("offline", () => this.#onOffline(), { signal });
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    const watcher = new IntersectionObserver(
      (seen) => seen.some((each) => each.isIntersecting) && this.#loadMore(),
      { rootMargin: "400px" },
    );
    watcher.observe(this.#more);
    signal.addEventListener("abort", () => (watcher.disconnect(), this.#feeding.abort()));
    this.#follow();
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  #onRoute() {
    if (currentRoute().name === "runs" && location.search !== this.#shown) this.#follow();
  }

  async #follow() {
    this.#feeding.abort();
    const { signal } = (this.#feeding = new AbortController());
    const { query } = /** @type {{query: URLSearchParams}} */ (currentRoute());
    this.#shown = location.search;
    this.#filters.show(query);
    this.#table.setAttribute("aria-busy", "true");
    this.#feed = new RunFeed(filtersOf(query), (listed) => this.#show(listed), signal);
    try {
      await this.#feed.follow();
    } catch (fault) {
      if (isAbort(fault) || signal.aborted) return;
      this.#show({ runs: [], more: false });
      replace(this.#notice, failure(fault, () => this.#follow()));
    }
  }

  async #loadMore() {
    if (this.#more.disabled || this.#more.hidden) return;
    this.#more.disabled = true;
    const hadFocus = document.activeElement === this.#more;
    try {
      await this.#feed?.more();
    } catch (fault) {
      if (!isAbort(fault)) toastFault(fault, "Older runs could not be loaded");
    } finally {
      this.#more.disabled = false;
      if (hadFocus && !this.#more.hidden) this.#more.focus();
    }
  }

  /** @param {Listed} listed */
  #show({ runs, more }) {
    this.#table.removeAttribute("aria-busy");
    this.#table.hidden = runs.length === 0;
    this.#more.hidden = !more;
    replace(this.#notice, runs.length === 0 && nothing(this.#shown !== ""));
    const said = `${counted(runs.length, "run")}${more ? " so far" : ""}`;
    if (this.#said.textContent !== said) replace(this.#said, said);
    const focused = this.#focusedIndex();
    const there = new Set(runs.map((run) => run.id));
    for (const [id, row] of this.#byId) {
      if (there.has(id)) continue;
      row.element.remove();
      this.#byId.delete(id);
    }
    // Rows that stay are not moved: a moved one would lose the focus.
    let next = this.#rows.firstElementChild;
    for (const run of runs) {
      const row = this.#byId.get(run.id) ?? new RunRow();
      this.#byId.set(run.id, row);
      row.show(run);
      if (row.element === next) next = next.nextElementSibling;
      else this.#rows.insertBefore(row.element, next);
    }
    if (focused !== null && this.#focusedIndex() === null) this.#focus(focused);
  }

  #onOffline() {
    if (this.#byId.size > 0) return;
    replace(
      this.#notice,
      failure(new ApiError(0, "The server cannot be reached.", "The runs are shown as soon as it is back.")),
    );
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const at = /** @type {Element} */ (event.target);
    const step = { j: 1, k: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || at.closest("input, textarea, dialog")) return;
    const index = this.#focusedIndex();
    this.#focus(index === null ? 0 : index + step);
  }

  /** @returns {number | null} the row that has the focus */
  #focusedIndex() {
    const row = document.activeElement?.closest("tr.run");
    return row && this.#rows.contains(row) ? [...this.#rows.children].indexOf(row) : null;
  }

  /** @param {number} index */
  #focus(index) {
    const row = this.#rows.children[Math.min(Math.max(index, 0), this.#rows.children.length - 1)];
    /** @type {HTMLElement | null | undefined} */ (row?.querySelector(".run-link"))?.focus();
  }
}

/**
 * The roles are said, because narrow pages lay the rows out in another way and browsers then forget them.
 *
 * @param {HTMLElement} rows
 * @returns {HTMLElement}
 */
function table(rows) {
  const heads = COLUMNS.map(
    (column) => h("th", { scope: "col", role: "columnheader", class: `run-${column.toLowerCase()}` }, column),
  );
  return h(
    "table",
    { class: "runs", role: "table", "aria-label": "Runs, newest first", hidden: true },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    rows,
  );
}

/**
 * @param {boolean} filtered
 * @returns {HTMLElement}
 */
function nothing(filtered) {
  if (filtered) return empty("No run is like that.", h("a", { href: runsPath() }, "Show all runs"));
  return empty(
    "There are no runs in this store yet.",
    h("p", null, "Start one: ", h("code", null, "chidori run AGENT.ts"), ", or send a request to this server."),
    h("p", null, "A checkpoint file comes in by ", h("code", null, "chidori import FILE"), "."),
  );
}

define("runs-view", RunsView);
