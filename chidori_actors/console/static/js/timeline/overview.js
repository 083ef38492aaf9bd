// The strip that shows the whole run, all lanes over all its time, with the visible part framed.

import { endOf, styleOf } from "./bars.js";
import { STYLES } from "./theme.js";
import { fit, msAt, xOf } from "./scale.js";

/** @typedef {import("./model.js").TimelineModel} Model */

const HEIGHT = 44;
const LEAST_FRAME = 6;

export class Overview {
  /** @type {number | null} */
  #dragged = null;

  /**
   * @param {HTMLCanvasElement} canvas @param {HTMLElement} frame
   * @param {(ms: number, share: number) => void} go the middle that is wanted: a time, and a share of the lanes' height
   */
  constructor(canvas, frame, go) {
    this.canvas = canvas;
    this.frame = frame;
    const strip = /** @type {HTMLElement} */ (canvas.parentElement);
    const follow = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      if (this.view) go(msAt(this.view, event.clientX - box.left), (event.clientY - box.top) / box.height);
    };
    strip.addEventListener("pointerdown", (event) => {
      this.#dragged = event.pointerId;
      strip.setPointerCapture(event.pointerId);
      follow(event);
    });
    strip.addEventListener("pointermove", (event) => event.pointerId === this.#dragged && follow(event));
    strip.addEventListener("lostpointercapture", () => (this.#dragged = null));
  }

  /** @type {import("./scale.js").View | null} */
  view = null;

  /** Draws the run. @param {Model} model @param {import("./theme.js").Theme} theme @param {number} width @param {number} ratio */
  paint(model, theme, width, ratio) {
    const context = this.canvas.getContext("2d");
    if (!context || width < 1) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(HEIGHT * ratio);
    context.scale(ratio, ratio);
    this.view = fit(model.run, width);
    const step = (HEIGHT - 8) / Math.max(8, model.geometry.count);
    /** @type {Record<string, [number, number, number][]>} */
    const boxes = Object.fromEntries(STYLES.map((style) => [style, []]));
    for (const stored of model.cache.overview) {
      stored.lanes.forEach((lane, offset) => {
        const y = 4 + (stored.window.first + offset) * step;
        for (const bar of lane.bars) {
          const x = xOf(this.view ?? model.view, bar.begin_ms);
          boxes[styleOf(bar)].push([x, y, Math.max(1, xOf(this.view ?? model.view, endOf(bar, model.now)) - x)]);
        }
      });
    }
    for (const style of STYLES) {
      context.fillStyle = theme.bars[style].line;
      const high = style === "failed" || style === "waiting" ? Math.max(2.5, step) : Math.max(0.8, step * 0.8);
      const least = style === "failed" || style === "waiting" ? 2.5 : 1;
      for (const [x, y, w] of boxes[style]) context.fillRect(x, y, Math.max(least, w), high);
    }
  }

  /** Frames what is visible. @param {Model} model @param {number} scroll @param {number} height */
  mark(model, scroll, height) {
    if (!this.view) return;
    const left = Math.max(0, xOf(this.view, model.view.from));
    const right = Math.min(this.view.width, xOf(this.view, model.view.to));
    const total = Math.max(height, model.geometry.total);
    const { style } = this.frame;
    style.transform = `translate(${left}px, ${(scroll / total) * HEIGHT}px)`;
    style.width = `${Math.max(LEAST_FRAME, right - left)}px`;
    style.height = `${Math.max(LEAST_FRAME, Math.min(1, height / total) * HEIGHT)}px`;
  }
}
