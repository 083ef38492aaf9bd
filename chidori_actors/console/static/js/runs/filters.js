/**
 * What of the runs is shown: states, a search, and the agent or the parent run that an address names. The address has
 * all of it, so it can be kept and sent.
 */

import { h, replace } from "../dom.js";
import { shortId } from "../format.js";
import { changeQuery } from "../router.js";
import { stateShape } from "../state.js";

const TYPING_MS = 250;

/** @type {{word: string, states: string[]}[]} */
const CHOICES = [
  { word: "All", states: [] },
  { word: "Running", states: ["running"] },
  { word: "Needs an answer", states: ["waiting"] },
  { word: "Failed", states: ["failed"] },
  { word: "Interrupted", states: ["interrupted"] },
  { word: "Completed", states: ["completed"] },
  { word: "Cancelled", states: ["cancelled"] },
];

export class RunFilters {
  #timer = 0;

  constructor() {
    this.search = h("input", {
      type: "search",
      class: "input",
      placeholder: "Search runs",
      "aria-label": "Search runs by id, agent, question, error, input or output",
      title: "Id, agent, question, error, input or output  ( / )",
      autocomplete: "off",
      spellcheck: "false",
      on: { input: () => this.#typed(), search: () => this.#apply(), keydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event) },
    });
    this.buttons = CHOICES.map(({ word, states }) =>
      h(
        "button",
        { type: "button", class: "state-filter", on: { click: () => changeQuery({ status: states }) } },
        states[0] && stateShape(states[0]),
        word,
      ),
    );
    this.others = h("div", { class: "row" });
    this.element = h(
      "div",
      { class: "run-filters" },
      h("div", { class: "state-filters", role: "group", "aria-label": "Show runs that are" }, this.buttons),
      this.search,
      this.others,
    );
  }

  /**
   * Shows what the address says.
   *
   * @param {URLSearchParams} query
   */
  show(query) {
    const states = query.getAll("status").sort().join();
    this.buttons.forEach((button, index) => {
      button.setAttribute("aria-pressed", String([...CHOICES[index].states].sort().join() === states));
    });
    const search = query.get("search") ?? "";
    if (document.activeElement !== this.search || this.search.value.trim() !== search) this.search.value = search;
    replace(this.others, this.#other(query, "agent", "agent "), this.#other(query, "parent", "forks of "));
  }

  /**
   * @param {URLSearchParams} query
   * @param {string} name
   * @param {string} words
   * @returns {HTMLElement | null}
   */
  #other(query, name, words) {
    const value = query.get(name);
    if (!value) return null;
    return h(
      "button",
      { type: "button", class: "chip removable", on: { click: () => changeQuery({ [name]: null }) } },
      words,
      h("span", { class: "mono" }, shortId(value)),
      " ✕",
      h("span", { class: "said" }, " (show all)"),
    );
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), TYPING_MS);
  }

  #apply() {
    clearTimeout(this.#timer);
    const search = this.search.value.trim();
    const there = new URLSearchParams(location.search).get("search") ?? "";
    if (this.search.isConnected && search !== there) changeQuery({ search: search || null }, { replace: true });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "Enter") this.#apply();
    if (event.key !== "Escape") return;
    if (this.search.value === "") this.search.blur();
    this.search.value = "";
    this.#apply();
  }
}

/**
 * What of an address `GET /sessions` understands.
 *
 * @param {URLSearchParams} query
 * @returns {{[name: string]: string | string[]}}
 */
export function filtersOf(query) {
  return {
    status: query.getAll("status"),
    search: query.get("search") ?? "",
    agent: query.get("agent") ?? "",
    parent: query.get("parent") ?? "",
  };
}
