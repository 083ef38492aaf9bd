/**
 * The runs that a list shows, kept up to date: the newest ones by long poll, older pages when they are asked for.
 *
 * @import {SessionItem, SessionPage} from "../types.js"
 * @import {Parameters} from "../api.js"
 * @typedef {{runs: SessionItem[], more: boolean}} Listed `more`: there are older ones on the server
 */

import { api, isAbort, longPoll } from "../api.js";
import { pause } from "../persistence.js";

const PAGE = 50;
const LARGEST_PAGE = 200;
const REFRESH_MS = 3000;
const AT_REST = new Set(["completed", "cancelled"]);

export class RunFeed {
  /** @type {SessionItem[]} */
  #runs = [];
  /** @type {string | null} the cursor of the next older page */
  #cursor = null;
  #pages = 1;
  #refreshing = false;

  /**
   * @param {Parameters} filters of `GET /sessions`
   * @param {(listed: Listed) => void} onChange
   * @param {AbortSignal} signal ends it
   */
  constructor(filters, onChange, signal) {
    this.filters = filters;
    this.onChange = onChange;
    this.signal = signal;
  }

  /**
   * Follows the list until the signal is aborted.
   *
   * @returns {Promise<void>}
   * @throws {import("../api.js").ApiError} the server refused
   */
  follow() {
    return longPoll("/sessions", { ...this.filters, limit: PAGE }, (page) => this.#take(page), { signal: this.signal });
  }

  /**
   * Appends the next page.
   *
   * @returns {Promise<void>}
   * @throws {import("../api.js").ApiError}
   */
  async more() {
    if (this.#cursor === null) return;
    const query = { ...this.filters, limit: PAGE, cursor: this.#cursor };
    const page = /** @type {SessionPage} */ (await api.get("/sessions", { query, signal: this.signal }));
    this.#pages += 1;
    this.#runs = joined(this.#runs, page.sessions);
    this.#cursor = page.next_cursor;
    this.#tell();
  }

  /** @param {SessionPage} page the newest runs */
  #take(page) {
    if (this.#pages === 1) {
      this.#runs = page.sessions;
      this.#cursor = page.next_cursor;
    } else {
      const last = page.sessions.at(-1);
      const older = this.#runs.filter((run) => last && isOlder(run, last));
      this.#runs = joined(page.sessions, older);
      this.#refreshOlder(page);
    }
    this.#tell();
  }

  /**
   * The poll tells of the newest page only; older runs that are not at rest may have changed with it.
   *
   * @param {SessionPage} page
   */
  async #refreshOlder({ sessions, next_cursor: cursor }) {
    const shown = this.#runs.length;
    if (this.#refreshing || this.#runs.slice(sessions.length).every((run) => AT_REST.has(run.status))) return;
    this.#refreshing = true;
    try {
      /** @type {Map<string, SessionItem>} */
      const older = new Map();
      let next = cursor;
      while (next !== null && sessions.length + older.size < shown) {
        const query = { ...this.filters, limit: LARGEST_PAGE, cursor: next };
        const page = /** @type {SessionPage} */ (await api.get("/sessions", { query, signal: this.signal }));
        for (const run of page.sessions) older.set(run.id, run);
        next = page.next_cursor;
      }
      const newest = new Set(sessions.map((run) => run.id));
      const head = this.#runs.filter((run) => newest.has(run.id) || !isOlder(run, sessions[sessions.length - 1]));
      this.#runs = joined(head, [...older.values()]);
      this.#cursor = next;
      this.#tell();
      await pause(REFRESH_MS, this.signal);
    } catch (fault) {
      // The poll meets the same fault, and says so or goes on.
      if (!isAbort(fault)) console.debug("older runs were not refreshed", fault);
    } finally {
      this.#refreshing = false;
    }
  }

  #tell() {
    if (!this.signal.aborted) this.onChange({ runs: this.#runs, more: this.#cursor !== null });
  }
}

/**
 * @param {SessionItem[]} newer
 * @param {SessionItem[]} older
 * @returns {SessionItem[]}
 */
function joined(newer, older) {
  const there = new Set(newer.map((run) => run.id));
  return [...newer, ...older.filter((run) => !there.has(run.id))];
}

/**
 * @param {SessionItem} run
 * @param {SessionItem} other
 * @returns {boolean} whether `run` is older, or may be
 */
function isOlder(run, other) {
  return Date.parse(run.created_at) <= Date.parse(other.created_at);
}
