// Brings the cursor to calls anywhere in the run, also in lanes that were never visible.

import { api, sessionPath } from "../api.js";
import { isMerged } from "./bars.js";
import { fit, perPixel } from "./scale.js";
import { MOST_LANES } from "./windows.js";

/** @typedef {import("../types.js").CallRow} CallRow */
/** @typedef {import("./model.js").TimelineModel} Model */
/** @typedef {import("./cursor.js").Cursor} Cursor */

const MOST_PROBLEMS = 500;
/** Pixels of a call that is too short to be seen well. */
const SMALL = 8;

export class Seeker {
  /** @param {() => string} run its id @param {Model} model @param {Cursor} cursor */
  constructor(run, model, cursor) {
    this.run = run;
    this.model = model;
    this.cursor = cursor;
  }

  /** Goes to a call. @param {number} seq @param {AbortSignal} signal @returns {Promise<boolean>} whether it was found */
  async call(seq, signal) {
    return this.#goTo(await api.get(sessionPath(this.run(), "calls", seq), { signal }), signal);
  }

  /**
   * Goes to the failed or waiting call that comes next, at last to the first one again.
   * @param {AbortSignal} signal @returns {Promise<boolean>} false: there is none
   */
  async problem(signal) {
    const place = this.cursor.place;
    const from = place && !isMerged(place.bar) ? place.bar.seq : 0;
    const get = (/** @type {string} */ state) =>
      api.get(sessionPath(this.run(), "calls"), { query: { state, limit: MOST_PROBLEMS }, signal });
    const pages = await Promise.all([get("waiting"), get("failed")]);
    /** @type {CallRow[]} */
    const calls = pages.flatMap((page) => page.calls).sort((a, b) => a.seq - b.seq);
    const next = calls.find((call) => call.seq > from) ?? calls[0];
    return next !== undefined && this.#goTo(next, signal);
  }

  /** @param {CallRow} call @param {AbortSignal} signal */
  async #goTo(call, signal) {
    const { model } = this;
    const lane = await this.#laneOf(call.actor, signal);
    if (lane === null) return false;
    const end = call.end_ms ?? model.now;
    const row = model.find(lane, call.seq)?.bar.row ?? 0;
    this.cursor.place = { lane, bar: { ...call, row, open_question: call.state === "waiting" } };
    if (end - call.begin_ms < SMALL * perPixel(model.view)) this.#zoomTo(call.begin_ms, end);
    return true;
  }

  /** @param {number} from @param {number} to */
  #zoomTo(from, to) {
    const beside = Math.max(10, (to - from) * 20);
    const whole = fit(this.model.run, 1);
    if (2 * beside < whole.to - whole.from) this.model.reveal({ from: from - beside, to: to + beside }, true);
  }

  /** The number of an actor's lane. Lanes that are not at hand are asked for. @param {string} actor @param {AbortSignal} signal */
  async #laneOf(actor, signal) {
    const { cache, geometry, run } = this.model;
    for (let first = 0; cache.indexOf(actor) === undefined && first < geometry.count; first += MOST_LANES) {
      const last = Math.min(first + MOST_LANES, geometry.count) - 1;
      if (cache.lane(first) && cache.lane(last)) continue;
      const window = { first, count: MOST_LANES, from: Math.floor(run.from), to: Math.ceil(run.to), width: 1 };
      this.model.take(window, await api.get(sessionPath(this.run(), "timeline"), { query: asQuery(window), signal }), false);
    }
    return cache.indexOf(actor) ?? null;
  }
}

/** @param {import("./windows.js").Window} window  without times (NaN) the server takes the whole run */
export const asQuery = ({ first, count, from, to, width }) =>
  Number.isNaN(from) ? { first, count, width } : { first, count, from_ms: from, to_ms: to, width };
