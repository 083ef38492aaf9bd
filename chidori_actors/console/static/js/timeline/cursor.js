// The call that the keyboard is at.

import { endOf, holds, isMerged, seqOf } from "./bars.js";
import { nearest, neighbour } from "./hit.js";

/** @typedef {import("./bars.js").AnyBar} Bar */
/** @typedef {import("./hit.js").Place} Place */
/** @typedef {import("./model.js").TimelineModel} Model */

/** Lanes that a page key goes. */
const PAGE = 10;

export class Cursor {
  /** @type {Place | null} */
  place = null;

  /** @param {Model} model */
  constructor(model) {
    this.model = model;
  }

  /** @param {string} key @returns {boolean} whether the key leads to another call */
  move(key) {
    const { place } = this;
    if (!place) return this.#enter();
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -PAGE, PageDown: PAGE }[key];
    if (step !== undefined) return this.#toLane(place, step);
    const bars = this.model.barsOfLane(place.lane);
    const sorted = [...bars].sort((a, b) => a.begin_ms - b.begin_ms || seqOf(a) - seqOf(b));
    /** @type {Record<string, () => Bar | null>} */
    const moves = {
      ArrowLeft: () => neighbour(bars, place.bar, -1),
      ArrowRight: () => neighbour(bars, place.bar, 1),
      Home: () => sorted[0] ?? null,
      End: () => sorted.at(-1) ?? null,
    };
    const next = moves[key]?.();
    if (!next) return false;
    this.place = { lane: place.lane, bar: next };
    return true;
  }

  /** The first call that is visible. */
  #enter() {
    const { model } = this;
    for (let lane = 0; lane < model.geometry.count; lane++) {
      const bar = model.barsOfLane(lane).find((each) => endOf(each, model.now) >= model.view.from);
      if (bar) {
        this.place = { lane, bar };
        return true;
      }
    }
    return false;
  }

  /** The call of another lane that is nearest in time; lanes without calls are passed over. @param {Place} place @param {number} step */
  #toLane(place, step) {
    const { model } = this;
    const last = model.geometry.count - 1;
    const middle = (place.bar.begin_ms + Math.min(endOf(place.bar, model.now), model.view.to)) / 2;
    let lane = Math.max(0, Math.min(last, place.lane + step));
    for (; lane >= 0 && lane <= last && lane !== place.lane; lane += Math.sign(step)) {
      const bar = nearest(model.barsOfLane(lane), middle, model.now);
      if (!bar) continue;
      this.place = { lane, bar };
      return true;
    }
    return false;
  }

  /** Finds the same call again in what has arrived since, and the call itself in what was a bar of many. */
  refresh() {
    const { place, model } = this;
    if (!place) return;
    const seq = seqOf(place.bar);
    const bars = model.barsOfLane(place.lane).filter((bar) => holds(bar, seq));
    const bar = bars.find((each) => !isMerged(each)) ?? bars[0];
    if (bar) this.place = { lane: place.lane, bar };
  }
}
