/**
 * One run in the list. A row is built once and filled anew when its run changes, so that focus and scroll stay.
 *
 * @import {SessionItem} from "../types.js"
 * @import {Child} from "../dom.js"
 */

import { timeAgo } from "../components/time.js";
import { h, replace } from "../dom.js";
import { count, duration, milliseconds, oneLine, shortId } from "../format.js";
import { runPath } from "../router.js";
import { badge, look, runState } from "../state.js";

const ASKS = { input: "asks", approval: "wants approval", in_doubt: "is in doubt" };

export class RunRow {
  #text = "";

  constructor() {
    this.link = h("a", { class: "run-link" });
    this.state = h("td", { class: "run-state", role: "cell" });
    this.facts = h("span", { class: "run-facts" });
    this.note = h("div", { class: "run-note", hidden: true });
    this.calls = h("td", { class: "run-calls", role: "cell" });
    this.lasted = h("td", { class: "run-lasted", role: "cell" });
    this.started = h("td", { class: "run-started", role: "cell" });
    const name = h(
      "th",
      { class: "run-name", scope: "row", role: "rowheader" },
      h("div", { class: "run-title" }, this.link, this.facts),
      this.note,
    );
    this.element = h("tr", { class: "run", role: "row" }, this.state, name, this.calls, this.lasted, this.started);
  }

  /** @param {SessionItem} run */
  show(run) {
    const text = JSON.stringify(run);
    if (text === this.#text) return;
    this.#text = text;
    const state = runState(run);
    // A run that asks may still be running: what else it does goes on.
    this.element.className = `run tone-${run.pending_count > 0 ? "wait" : look(state).tone}`;
    this.element.dataset.run = run.id;
    replace(this.state, badge(state));
    this.link.href = runPath(run.id);
    replace(
      this.link,
      h("span", { class: "run-agent" }, run.agent ?? "unknown agent"),
      h("span", { class: "run-id mono", title: run.id }, shortId(run.id)),
    );
    replace(this.facts, ...facts(run));
    this.#note(run, state);
    replace(this.calls, count(run.call_count), h("span", { class: "unit" }, run.call_count === 1 ? " call" : " calls"));
    const lasted = state === "running" ? NaN : milliseconds(run.updated_at) - milliseconds(run.created_at);
    replace(this.lasted, Number.isFinite(lasted) ? duration(lasted) : "");
    replace(this.started, timeAgo(run.created_at));
  }

  /**
   * The open question, or what the run ended with.
   *
   * @param {SessionItem} run
   * @param {string} state
   */
  #note(run, state) {
    const asked = run.pending_count > 0;
    const others = run.pending_count - 1;
    const text = asked ? oneLine(run.pending_prompt || "(a question without words)") : run.error && oneLine(run.error);
    this.note.hidden = !text;
    this.note.className = `run-note ${asked ? "asked" : state}`;
    replace(
      this.note,
      asked && h("span", { class: "run-asks" }, `${ASKS[run.pending_kind ?? "input"]}: `),
      h("bdi", null, text),
      asked && others > 0 && h("span", { class: "chip" }, `${count(others)} more`),
    );
  }
}

/**
 * Where the run comes from.
 *
 * @param {SessionItem} run
 * @returns {Child[]}
 */
function facts(run) {
  const { branch } = run;
  const parent = branch && h(
    "a",
    { href: runPath(branch.parent_run_id), class: "mono" },
    shortId(branch.parent_run_id),
  );
  return [
    branch && h(
      "span",
      { class: "chip from" },
      branch.at_seq === null ? "replay of " : "fork of ",
      parent,
      branch.at_seq !== null && ` at #${branch.at_seq}`,
    ),
    run.imported && h("span", { class: "chip" }, "imported"),
    (run.attempt_number ?? 1) > 1 && h("span", { class: "chip" }, `attempt ${run.attempt_number}`),
  ];
}
