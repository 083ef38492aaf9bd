/**
 * What differs between two texts, side by side; one below the other where the page is narrow. Removed and added lines
 * carry a mark, not only a colour. Long stretches without a change are folded.
 *
 * Attributes: `label` (what is compared), `left-label` and `right-label`. Property `lines`: the lines of the diff.
 *
 * @import {DiffLine} from "../types.js"
 * @import {DiffRow} from "../history/line-diff.js"
 */

import { define, h, replace } from "../dom.js";
import { counted } from "../format.js";
import { commonEnds, diffRows, folded } from "../history/line-diff.js";

const NARROW = "(max-width: 700px)";
const MARKS = { " ": "", "-": "−", "+": "+" };
const WORDS = { " ": "", "-": "removed: ", "+": "added: " };

class DiffView extends HTMLElement {
  /** @type {DiffLine[]} */
  #lines = [];
  #narrow = matchMedia(NARROW);
  #redraw = () => this.#draw();

  connectedCallback() {
    this.#narrow.addEventListener("change", this.#redraw);
    this.#draw();
  }

  disconnectedCallback() {
    this.#narrow.removeEventListener("change", this.#redraw);
  }

  /** @param {DiffLine[]} lines */
  set lines(lines) {
    this.#lines = lines;
    if (this.isConnected) this.#draw();
  }

  #draw() {
    const rows = diffRows(this.#lines);
    if (rows.length === 0) return replace(this, h("p", { class: "muted" }, "No difference."));
    const isSame = (/** @type {DiffRow} */ row) => row.left === row.right;
    const table = h(
      "table",
      { class: `diff ${this.#narrow.matches ? "unified" : "split"}` },
      h("caption", { class: "said" }, this.getAttribute("label") ?? "Differences"),
      this.#head(),
      folded(rows, isSame).map((stretch) => (stretch.fold ? this.#fold(stretch.rows) : this.#body(stretch.rows))),
    );
    return replace(this, table);
  }

  #head() {
    const [left, right] = [this.getAttribute("left-label") ?? "left", this.getAttribute("right-label") ?? "right"];
    const cells = this.#narrow.matches
      ? [h("th", { scope: "col" }, h("span", { class: "diff-key" }, `− ${left}`), h("span", { class: "diff-key" }, `+ ${right}`))]
      : [h("th", { scope: "col" }, left), h("th", { scope: "col" }, right)];
    return h("thead", null, h("tr", null, cells));
  }

  /** @param {DiffRow[]} rows */
  #body(rows) {
    return h("tbody", null, this.#narrow.matches ? unified(rows) : rows.map(splitRow));
  }

  /** @param {DiffRow[]} rows */
  #fold(rows) {
    const body = h("tbody");
    const show = () => {
      const shown = this.#body(rows);
      shown.tabIndex = -1;
      body.replaceWith(shown);
      shown.focus();
    };
    const button = h("button", { type: "button", class: "diff-fold", on: { click: show } }, `Show ${counted(rows.length, "line")} that ${rows.length === 1 ? "is" : "are"} the same`);
    body.append(h("tr", null, h("td", { colspan: this.#narrow.matches ? 1 : 2 }, button)));
    return body;
  }
}

/** @param {DiffRow} row */
function splitRow({ left, right }) {
  return h("tr", null, cell(left, right), cell(right, left));
}

/**
 * Removed lines of a change stand before what was added in their place.
 *
 * @param {DiffRow[]} rows
 */
function unified(rows) {
  /** @type {HTMLElement[]} */
  const lines = [];
  /** @type {HTMLElement[]} */
  let added = [];
  for (const { left, right } of rows) {
    if (left === right) lines.push(...added.splice(0), h("tr", null, cell(left, right)));
    else {
      if (left !== null) lines.push(h("tr", null, cell(left, right)));
      if (right !== null) added.push(h("tr", null, cell(right, left)));
    }
  }
  return [...lines, ...added];
}

/**
 * @param {DiffLine | null} line
 * @param {DiffLine | null} other what stands in its place on the other side
 */
function cell(line, other) {
  if (line === null) return h("td", { class: "diff-none" });
  const kind = line.op === "-" ? "removed" : line.op === "+" ? "added" : "same";
  const ends = kind === "same" || other === null ? null : commonEnds(line.text, other.text);
  return h(
    "td",
    { class: `diff-${kind}` },
    h("span", { class: "diff-mark", "aria-hidden": "true" }, MARKS[line.op]),
    kind !== "same" && h("span", { class: "said" }, WORDS[line.op]),
    h("code", null, ends === null ? line.text || " " : emphasized(line.text, ends)),
  );
}

/** @param {string} text @param {{start: number, end: number}} ends */
function emphasized(text, { start, end }) {
  const until = text.length - end;
  return [text.slice(0, start), until > start && h("mark", null, text.slice(start, until)), text.slice(until)];
}

define("diff-view", DiffView);
export { DiffView };
