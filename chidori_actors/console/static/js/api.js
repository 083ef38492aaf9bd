/**
 * Talks to the front door. The key, if the server wants one, is asked for once and kept for this tab.
 *
 * @typedef {string | number | boolean | null | undefined} Parameter
 * @typedef {{[name: string]: Parameter | string[]}} Parameters Null, undefined and "" are left out.
 * @import {StreamEvent} from "./types.js"
 */

import { ApiError, isAbort } from "./api_error.js";
import { parseExactly, writeExactly } from "./exact-json.js";
import { frames } from "./event_frames.js";
import { pause, persistently, whileVisible } from "./persistence.js";

export { ApiError, isAbort };

const KEY = "chidori-key";
const POLL_SECONDS = 20;
const LEAST_GAP_MS = 250;

/**
 * Dispatches `offline` when the server cannot be reached, `online` once it can be again, and `key-needed` when a key
 * is missing or wrong: answer that with `giveKey`, which dispatches `key-given`.
 */
export const connection = new EventTarget();

/** @type {{offline: boolean, asked: {promise: Promise<void>, settle: (given: boolean) => void} | null}} */
const state = { offline: false, asked: null };

/** @returns {boolean} whether the last request did not reach the server */
export function isOffline() {
  return state.offline;
}

/** @returns {string | null} the key of this tab */
export function storedKey() {
  return sessionStorage.getItem(KEY);
}

/**
 * Keeps the key for this tab and repeats the requests that wait for it; null: they fail, because there is none.
 *
 * @param {string | null} key
 */
export function giveKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  state.asked?.settle(key !== null);
  state.asked = null;
  if (key) connection.dispatchEvent(new Event("key-given"));
}

/** Takes the key away from this tab. */
export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

export const api = {
  /**
   * @param {string} path e.g. `/sessions/ID`
   * @param {{query?: Parameters, signal?: AbortSignal, exact?: boolean}} [options] `exact`: for an answer that holds
   *   values of an agent, with a `RawJson` for numbers that JavaScript would change
   * @returns {Promise<any>} the JSON of the answer
   * @throws {ApiError}
   */
  async get(path, { query, signal, exact = false } = {}) {
    const answer = await request(withQuery(path, query), { signal });
    return exact ? parseExactly(await answer.text()) : answer.json();
  },

  /**
   * @param {string} path
   * @param {unknown} [body] sent as JSON; a `RawJson` in it as it stands
   * @param {{signal?: AbortSignal, prefer?: "respond-async"}} [options]
   * @returns {Promise<any>} the JSON of the answer
   * @throws {ApiError}
   */
  async post(path, body, { signal, prefer } = {}) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json", ...(prefer && { Prefer: prefer }) };
    return (await request(path, { method: "POST", headers, body: writeExactly(body ?? {}), signal })).json();
  },

  /**
   * The bytes of an answer, for a file to keep.
   *
   * @param {string} path
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Blob>}
   * @throws {ApiError}
   */
  async blob(path, { signal } = {}) {
    return (await request(path, { signal })).blob();
  },

  /**
   * Follows server-sent events until `done`, which is the last one. A connection that breaks is opened again where
   * it broke, and rests while the page is hidden; `after` is the id of the last event that is not wanted.
   *
   * @param {string} path
   * @param {(event: StreamEvent) => void} onEvent
   * @param {{signal: AbortSignal, after?: string}} options
   * @returns {Promise<void>} ends with `done` or when `signal` is aborted
   * @throws {ApiError} the server refused
   */
  async stream(path, onEvent, { signal, after }) {
    let last = after;
    await persistently(signal, (proceeding) =>
      whileVisible(signal, async (seen) => {
        /** @type {Record<string, string>} */
        const headers = { Accept: "text/event-stream", ...(last !== undefined && { "Last-Event-ID": last }) };
        const { body } = await request(path, { headers, signal: seen });
        if (!body) return true;
        for await (const frame of frames(body)) {
          proceeding();
          last = frame.id || last;
          onEvent({ ...frame, data: JSON.parse(frame.data) });
          if (frame.event === "done") return true;
        }
        await pause(LEAST_GAP_MS, seen);
        return false;
      }),
    );
  },
};

/**
 * Asks again and again for what changed: GET with `after` (the `version` of the last answer) and `wait`. While the
 * page is hidden or the server away it rests.
 *
 * @param {string} path
 * @param {Parameters | (() => Parameters)} parameters a function is asked anew before each request
 * @param {(answer: any) => unknown} onAnswer called with the first answer and with each that differs from the one before;
 *   the next request waits for the promise that it returns
 * @param {{signal: AbortSignal, after?: string}} options `after`: the version that is known already
 * @returns {Promise<void>} ends when `signal` is aborted
 * @throws {ApiError} the server refused
 */
export async function longPoll(path, parameters, onAnswer, { signal, after }) {
  let version = after;
  await persistently(signal, async (proceeding) => {
    if (version !== after) await pause(LEAST_GAP_MS, signal);
    const given = typeof parameters === "function" ? parameters() : parameters;
    const query = version === undefined ? given : { ...given, after: version, wait: POLL_SECONDS };
    const answer = await whileVisible(signal, (seen) => api.get(path, { query, signal: seen }));
    proceeding();
    if (!answer.unchanged && answer.version !== version && !signal.aborted) await onAnswer(answer);
    version = answer.version;
    return false;
  });
}

/**
 * A path with its query; arrays are repeated.
 *
 * @param {string} path
 * @param {Parameters} [parameters]
 * @returns {string}
 */
export function withQuery(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") query.append(name, String(each));
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * The path of a session: `sessionPath(id, "calls", 7)`.
 *
 * @param {string} id
 * @param {...(string | number)} parts
 * @returns {string}
 */
export function sessionPath(id, ...parts) {
  return ["/sessions", ...[id, ...parts].map((part) => encodeURIComponent(part))].join("/");
}

/**
 * @param {string} path
 * @param {RequestInit & {headers?: Record<string, string>}} options
 * @returns {Promise<Response>}
 */
async function request(path, options) {
  const key = storedKey();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options, headers });
  } catch (fault) {
    if (isAbort(fault)) throw fault;
    if (/** @type {Error} */ (fault).name !== "TypeError") throw fault;
    setOffline(true);
    const hint = "Is it still running? This page goes on by itself when it is back.";
    throw new ApiError(0, "The server cannot be reached.", hint);
  }
  setOffline(false);
  if (answer.status === 401) {
    if (storedKey() === key) await keyGiven();
    return request(path, options);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

/**
 * Waits for the person to give a key; all requests that need one wait for the same.
 *
 * @returns {Promise<void>}
 */
function keyGiven() {
  if (!state.asked) {
    /** @type {(given: boolean) => void} */
    let settle = () => {};
    /** @type {Promise<void>} */
    const promise = new Promise((resolve, reject) => {
      const refused = new ApiError(401, "The server wants a key.", "It is the server's CHIDORI_API_KEY.");
      settle = (given) => (given ? resolve() : reject(refused));
    });
    state.asked = { promise, settle };
    connection.dispatchEvent(new Event("key-needed"));
  }
  return state.asked.promise;
}

/**
 * @param {Response} answer
 * @returns {Promise<ApiError>}
 */
async function refusal(answer) {
  const text = await answer.text();
  try {
    const { error, hint } = JSON.parse(text);
    if (typeof error === "string") return new ApiError(answer.status, error, typeof hint === "string" ? hint : null);
  } catch {
    // Not from the front door itself but from something before it: the status has to do.
  }
  return new ApiError(answer.status, `The server answered ${answer.status} ${answer.statusText}`.trim());
}

/** @param {boolean} offline */
function setOffline(offline) {
  if (state.offline === offline) return;
  state.offline = offline;
  connection.dispatchEvent(new Event(offline ? "offline" : "online"));
}
