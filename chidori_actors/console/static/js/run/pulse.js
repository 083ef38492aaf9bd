// Tells what happens in a run, as it happens: one long poll for all views of the page.

import { longPoll, sessionPath } from "../api.js";

/** @typedef {import("../types.js").TimelineView} Timeline */

/** A busy run changes with every call; the page follows it a few times a second. */
const PAUSE_MS = 300;

/**
 * Calls `changed` with the run's state, lanes aside, now and after each change.
 * @param {string} id @param {(head: Timeline) => void} changed @param {AbortSignal} signal
 * @returns {Promise<void>} ends when `signal` is aborted
 * @throws {import("../api.js").ApiError} the server refused
 */
export function follow(id, changed, signal) {
  const least = { first: 0, count: 1, width: 1 };
  return longPoll(
    sessionPath(id, "timeline"),
    least,
    (head) => {
      changed(head);
      return pause(PAUSE_MS);
    },
    { signal },
  );
}

/** Runs a task at most once at a time; what was asked for meanwhile runs once after it. */
export class Latest {
  #busy = false;
  #again = false;

  /**
   * @param {() => Promise<void>} task it handles its own faults
   * @param {number} [gap] milliseconds at least between the end of one and the beginning of the next
   */
  constructor(task, gap = 0) {
    this.task = task;
    this.gap = gap;
  }

  async ask() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#again) {
      this.#again = false;
      await this.task();
      if (this.gap > 0) await pause(this.gap);
    }
    this.#busy = false;
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
