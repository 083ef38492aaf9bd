/** Times that say how long ago they were, and exactly when to those who point at them. */

import { h } from "../dom.js";
import { ago, exactTime, machineTime } from "../format.js";

const TICK_MS = 5000;

/**
 * @param {number | string | null | undefined} time milliseconds since 1970 or RFC 3339 text
 * @returns {HTMLTimeElement}
 */
export function timeAgo(time) {
  return h("time", { datetime: machineTime(time), title: exactTime(time), dataset: { ago: "yes" } }, ago(time));
}

/**
 * Keeps all such times of the page right.
 *
 * @param {AbortSignal} signal
 */
export function keepTimes(signal) {
  const timer = setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = ago(time.getAttribute("datetime"));
      if (time.textContent !== text) time.textContent = text;
    }
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
