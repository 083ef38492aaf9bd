/** Going on through faults that pass, and resting while nobody looks. */

import { ApiError, isAbort } from "./api_error.js";

const LEAST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

/**
 * Repeats `attempt` until it says that it is done; after a fault that may pass, with growing waits in between.
 *
 * @param {AbortSignal} signal
 * @param {(proceeding: () => void) => Promise<boolean>} attempt calls `proceeding` once the server has answered
 */
export async function persistently(signal, attempt) {
  let wait = LEAST_WAIT_MS;
  while (!signal.aborted) {
    try {
      if (await attempt(() => (wait = LEAST_WAIT_MS))) return;
      continue;
    } catch (fault) {
      if (signal.aborted) return;
      // The attempt was given up, but not all of it: the page is hidden.
      if (isAbort(fault)) continue;
      if (!(fault instanceof ApiError) || (fault.status >= 400 && fault.status < 500)) throw fault;
    }
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
  });
}

/**
 * Does `work` while the page is seen, and gives it up as soon as it is hidden. A browser opens six connections to a
 * server and no more: tabs that nobody looks at must not hold them.
 *
 * @template T
 * @param {AbortSignal} signal
 * @param {(signal: AbortSignal) => Promise<T>} work its signal is aborted with `signal` and when the page is hidden
 * @returns {Promise<T>}
 */
export async function whileVisible(signal, work) {
  const given = new AbortController();
  const done = new AbortController();
  const end = () => given.abort();
  const look = () => document.hidden && end();
  signal.addEventListener("abort", end, { signal: done.signal });
  while (document.hidden && !signal.aborted) await shownAgain(signal);
  if (signal.aborted) end();
  document.addEventListener("visibilitychange", look, { signal: done.signal });
  try {
    return await work(given.signal);
  } finally {
    done.abort();
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function shownAgain(signal) {
  return new Promise((resolve) => {
    const finish = () => {
      document.removeEventListener("visibilitychange", finish);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    document.addEventListener("visibilitychange", finish);
    signal.addEventListener("abort", finish);
  });
}
