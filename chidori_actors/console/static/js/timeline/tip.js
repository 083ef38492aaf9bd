// What a call is, beside the pointer.

import { h, replace } from "../dom.js";
import { look, stateShape } from "../state.js";
import { isMerged } from "./bars.js";
import { linesOf, nameOf } from "./words.js";

const AWAY = 14;

export class Tip {
  /** @type {import("./bars.js").AnyBar | null} */
  #bar = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
  }

  /**
   * @param {import("./bars.js").AnyBar} bar @param {import("./model.js").TimelineModel} model
   * @param {DOMRect} plot @param {{x: number, y: number}} point in the plot
   */
  show(bar, model, plot, point) {
    const { element } = this;
    if (bar !== this.#bar) {
      this.#bar = bar;
      const lines = linesOf(bar, model.started, model.now).map((line) => h("div", null, line));
      const beside = isMerged(bar) ? look(bar.state).word : bar.path;
      replace(element, h("div", { class: "tl-tip-name" }, stateShape(bar.state), nameOf(bar), h("span", null, beside)), ...lines);
    }
    element.hidden = false;
    const { width, height } = element.getBoundingClientRect();
    const x = plot.left + point.x + AWAY;
    const y = plot.top + point.y + AWAY;
    const left = x + width > innerWidth - 8 ? Math.max(8, x - width - 2 * AWAY) : x;
    const top = y + height > innerHeight - 8 ? Math.max(8, y - height - 2 * AWAY) : y;
    element.style.transform = `translate(${left}px, ${top}px)`;
  }

  hide() {
    this.element.hidden = true;
    this.#bar = null;
  }
}
