/**
 * What a view shows in place of its content: it loads, there is nothing, or it cannot be had. Each says what to do.
 *
 * @import {Child} from "../dom.js"
 */

import { ApiError } from "../api.js";
import { h } from "../dom.js";

/**
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function loading(text = "Loading…") {
  return h(
    "p",
    { class: "notice loading", role: "status" },
    h("span", { class: "spinner", "aria-hidden": "true" }),
    text,
  );
}

/**
 * @param {string} title
 * @param {...Child} explanation
 * @returns {HTMLElement}
 */
export function empty(title, ...explanation) {
  return h(
    "div",
    { class: "notice" },
    h("p", { class: "notice-title" }, title),
    h("div", { class: "muted" }, ...explanation),
  );
}

/**
 * A fault with its way out and a button that tries again.
 *
 * @param {unknown} fault
 * @param {() => unknown} [retry]
 * @returns {HTMLElement}
 */
export function failure(fault, retry) {
  const { message, hint } = /** @type {{message?: string, hint?: string | null}} */ (fault ?? {});
  const missing = fault instanceof ApiError && fault.status === 404;
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", { class: "notice-title wrap" }, message ?? String(fault)),
    (hint || missing) && h(
      "p",
      { class: "muted wrap" },
      hint ?? "It may be in another store: `chidori runs` lists what is in this one.",
    ),
    retry && h("button", { type: "button", class: "button", on: { click: () => retry() } }, "Try again"),
  );
}
