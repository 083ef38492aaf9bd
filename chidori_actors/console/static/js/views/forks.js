/**
 * `<fork-tree run-id>`: the family of a run, from its oldest ancestor down, as a tree. Enter opens a run, Space marks it;
 * two marked runs can be compared.
 *
 * @import {ForkTree} from "../types.js"
 */

import { api, isAbort, isOffline, sessionPath } from "../api.js";
import { empty, failure, loading } from "../components/notice.js";
import { define, h, replace } from "../dom.js";
import { shortId } from "../format.js";
import { treeItem } from "../history/fork-row.js";
import { treeMove, treeRows } from "../history/forest.js";
import { navigate, runPath } from "../router.js";

const REFRESH_MS = 3000;

class ForkTreeView extends HTMLElement {
  #stop = new AbortController();
  /** @type {number | undefined} */
  #timer;
  /** @type {ForkTree | null} */
  #family = null;
  /** @type {Set<string>} */
  #collapsed = new Set();
  /** The runs that are marked, the last one last: at most two. @type {string[]} */
  #marked = [];
  #focused = "";
  #tree = h("ul", { class: "fork-tree", role: "tree", "aria-label": "Family of this run", "aria-multiselectable": "true" });
  #bar = h("div", { class: "fork-bar row" });

  connectedCallback() {
    this.#stop = new AbortController();
    this.#focused = this.#runId;
    this.#marked = [this.#runId];
    this.#tree.addEventListener("keydown", (event) => this.#onKey(event));
    this.#tree.addEventListener("click", (event) => this.#onClick(event));
    replace(this, loading("Reading the family of this run…"));
    void this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  get #runId() {
    return this.getAttribute("run-id") ?? "";
  }

  async #load() {
    try {
      /** @type {ForkTree} */
      const family = await api.get(sessionPath(this.#runId, "forks"), { signal: this.#stop.signal });
      const isNews = JSON.stringify(family) !== JSON.stringify(this.#family);
      this.#family = family;
      if (isNews) this.#show();
    } catch (fault) {
      if (isAbort(fault)) return;
      if (this.#family === null) replace(this, failure(fault, () => this.#load()));
      // What is shown stays while the server is away; the page says that it is.
      if (!isOffline()) return;
    }
    if (isOffline() || this.#allRows().some(({ node }) => node.status === "running")) {
      this.#timer = setTimeout(() => this.#load(), REFRESH_MS);
    }
  }

  #rows(collapsed = this.#collapsed) {
    return this.#family === null ? [] : treeRows(this.#family.root, collapsed);
  }

  /** Those too that are hidden. */
  #allRows() {
    return this.#rows(new Set());
  }

  #show() {
    const rows = this.#rows();
    if (rows.length === 1 && this.#collapsed.size === 0) return replace(this, alone());
    if (!rows.some(({ node }) => node.id === this.#focused)) this.#focused = rows[0]?.node.id ?? "";
    const hadFocus = this.#tree.contains(document.activeElement);
    replace(
      this.#tree,
      rows.map((row) => treeItem(row, { current: this.#runId, focused: this.#focused, marked: this.#marked })),
    );
    this.#showBar();
    if (!this.contains(this.#tree)) {
      const more = this.#family?.more === true && h("p", { class: "muted" }, "The family is larger: its first 1,000 runs are shown.");
      replace(this, this.#bar, this.#tree, more, keys());
    }
    if (hadFocus) this.#item(this.#focused)?.focus();
    return undefined;
  }

  #showBar() {
    // The older run, which stands higher, is the left one.
    const [left, right] = this.#allRows().map(({ node }) => node.id).filter((id) => this.#marked.includes(id));
    if (left === undefined || right === undefined) {
      const text = left === undefined ? "Mark two runs to compare them." : `Mark one more run to compare it with ${shortId(left)}.`;
      replace(this.#bar, h("span", { class: "muted" }, text));
    } else {
      const compare = h("a", { class: "button primary", href: runPath(left, { tab: "compare", other: right }) }, "Compare");
      replace(this.#bar, compare, h("span", null, h("code", null, shortId(left)), " with ", h("code", null, shortId(right))));
    }
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const id = /** @type {HTMLElement} */ (event.target).dataset.run;
    if (id === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") this.#open(id);
    else if (event.key === " ") this.#mark(id);
    else {
      const move = treeMove(this.#rows(), id, event.key);
      if (move === null) return;
      if ("focus" in move) this.#focusOn(move.focus);
      else this.#toggle(id);
    }
    event.preventDefault();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const target = /** @type {Element} */ (event.target);
    const id = /** @type {HTMLElement | null} */ (target.closest("[data-run]"))?.dataset.run;
    if (id === undefined || target.closest("a")) return;
    this.#focusOn(id);
    if (target.closest("[data-twisty]")) this.#toggle(id);
    else this.#mark(id);
  }

  /** @param {string} id */
  #focusOn(id) {
    this.#item(this.#focused)?.setAttribute("tabindex", "-1");
    this.#focused = id;
    const item = this.#item(id);
    item?.setAttribute("tabindex", "0");
    item?.focus();
  }

  /** @param {string} id */
  #open(id) {
    if (!this.#rows().some(({ node }) => node.id === id && node.missing)) navigate(runPath(id));
  }

  /** Marks a run or takes the mark away; of three the first loses it. @param {string} id */
  #mark(id) {
    if (this.#rows().some(({ node }) => node.id === id && node.missing)) return;
    const others = this.#marked.filter((each) => each !== id);
    this.#marked = others.length < this.#marked.length ? others : [...others, id].slice(-2);
    this.#show();
  }

  /** @param {string} id */
  #toggle(id) {
    if (!this.#collapsed.delete(id)) this.#collapsed.add(id);
    this.#show();
  }

  /** @param {string} id @returns {HTMLElement | null} */
  #item(id) {
    return this.#tree.querySelector(`[data-run="${CSS.escape(id)}"]`);
  }
}

function alone() {
  return empty("This run has no forks", "Open a call, edit what it answered, and start a fork: the runs then stand here as a tree, and any two of them can be compared.");
}

function keys() {
  const key = (/** @type {string} */ name, /** @type {string} */ does) => h("span", null, h("kbd", null, name), ` ${does}`);
  return h("p", { class: "fork-keys muted small" }, key("↑ ↓", "go through"), key("← →", "close and open"), key("Space", "marks to compare"), key("Enter", "opens the run"));
}

define("fork-tree", ForkTreeView);
