// The names of the lanes: elements only for those that are visible.

import { h, replace } from "../dom.js";
import { count, counted } from "../format.js";
import { look, stateShape } from "../state.js";

/** @typedef {import("../types.js").Lane} Lane */
/** @typedef {{element: HTMLElement, lane: Lane | null, index: number}} Label */

const KINDS = { root: "agent", branch: "branch", sub_agent: "sub-agent", tool: "tool" };
/** Deeper lanes are not indented further: their names would leave the page. */
const DEEPEST = 8;
/** How far down is looked for lanes of the same parent. */
const FURTHEST = 120;

export class LaneLabels {
  /** @type {Map<number, Label>} */
  #labels = new Map();

  /** @param {HTMLElement} list @param {(lane: number) => void} choose */
  constructor(list, choose) {
    this.list = list;
    this.choose = choose;
  }

  /**
   * @param {import("./model.js").TimelineModel} model @param {number} first @param {number} last @param {number} scroll
   * @param {number | null} marked the lane with the cursor
   */
  show(model, first, last, scroll, marked) {
    for (const [index, label] of this.#labels) {
      if (index >= first && index <= last) continue;
      label.element.remove();
      this.#labels.delete(index);
    }
    for (let index = first; index <= last; index++) {
      const lane = model.cache.lane(index) ?? null;
      const label = this.#labels.get(index) ?? this.#add(index);
      if (label.lane !== lane || !label.element.hasChildNodes()) this.#fill(label, lane, model);
      label.element.style.transform = `translateY(${model.geometry.top(index) - scroll}px)`;
      label.element.style.height = `${model.geometry.height(index)}px`;
      label.element.classList.toggle("marked", index === marked);
    }
  }

  /** @param {number} index @returns {Label} */
  #add(index) {
    const element = h("div", { class: "tl-label", role: "listitem" });
    // In the order of the lanes, which is the order in which a screen reader tells them.
    const after = [...this.#labels.keys()].filter((each) => each > index).sort((a, b) => a - b)[0];
    this.list.insertBefore(element, after === undefined ? null : (this.#labels.get(after)?.element ?? null));
    const label = { element, lane: null, index };
    this.#labels.set(index, label);
    return label;
  }

  /** @param {Label} label @param {Lane | null} lane @param {import("./model.js").TimelineModel} model */
  #fill(label, lane, model) {
    const { element, index } = label;
    label.lane = lane;
    element.setAttribute("aria-setsize", String(model.geometry.count));
    element.setAttribute("aria-posinset", String(index + 1));
    if (!lane) return replace(element, h("span", { class: "tl-blank" }, "…"));
    const about = `${lane.name}, ${KINDS[lane.kind]}, ${look(lane.state).word}, ${counted(lane.call_count, "call")}`;
    const button = h(
      "button",
      { class: `tl-name kind-${lane.kind}`, type: "button", tabindex: -1, title: about, "aria-label": about },
      stateShape(lane.state),
      h("span", { class: "tl-text" }, lane.name),
      h("span", { class: "tl-count" }, count(lane.call_count)),
    );
    button.addEventListener("click", () => this.choose(index));
    element.style.setProperty("--depth", String(Math.min(DEEPEST, lane.depth)));
    replace(element, ...guides(model, index, lane.depth), button);
  }
}

/**
 * The lines of the tree: one for each level that goes on below, and the bend that leads to this lane.
 * @param {import("./model.js").TimelineModel} model @param {number} index @param {number} depth
 */
function guides(model, index, depth) {
  const lines = [];
  let least = Infinity;
  for (let next = index + 1; next < Math.min(model.geometry.count, index + FURTHEST) && least > 1; next++) {
    const below = model.cache.lane(next)?.depth ?? 0;
    if (below > 0 && below < least && below <= depth) lines.push(guide("tl-guide", below));
    least = Math.min(least, below);
  }
  if (depth > 0) lines.push(guide("tl-bend", depth));
  return lines;
}

/** @param {string} name @param {number} level */
function guide(name, level) {
  const line = h("span", { class: name, "aria-hidden": "true" });
  line.style.setProperty("--level", String(Math.min(DEEPEST, level)));
  return line;
}
