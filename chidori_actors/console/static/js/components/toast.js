/** Short messages at the edge of the page, for what was done and what was not. */

import { h } from "../dom.js";

const SHOWN_MS = 6000;
const MOST = 4;

/**
 * @param {string} message
 * @param {{tone?: "good" | "bad" | "run", hint?: string | null}} [options] a fault stays until it is closed
 */
export function toast(message, { tone = "good", hint = null } = {}) {
  const place = toasts();
  const close = h("button", { type: "button", class: "button quiet icon", "aria-label": "Close this message" }, "✕");
  const item = h(
    "div",
    { class: `toast tone-${tone}`, dataset: { message }, role: tone === "bad" ? "alert" : null },
    h("div", null, h("div", { class: "wrap" }, message), hint && h("div", { class: "muted small wrap" }, hint)),
    close,
  );
  close.addEventListener("click", () => item.remove());
  for (const other of place.querySelectorAll(".toast")) {
    if (/** @type {HTMLElement} */ (other).dataset.message === message) other.remove();
  }
  place.append(item);
  while (place.childElementCount > MOST) place.firstElementChild?.remove();
  if (tone !== "bad") setTimeout(() => item.remove(), SHOWN_MS);
}

/**
 * Says what went wrong and the way out, if the fault knows one.
 *
 * @param {unknown} fault
 * @param {string} [what] what could not be done
 */
export function toastFault(fault, what) {
  const { message, hint } = /** @type {{message?: string, hint?: string | null}} */ (fault ?? {});
  const text = message ?? String(fault);
  toast(what ? `${what}: ${text}` : text, { tone: "bad", hint });
}

/** @returns {HTMLElement} above an open dialog too, because a popover is in the top layer */
function toasts() {
  const there = document.getElementById("toasts");
  const place = there ?? h("div", { id: "toasts", class: "toasts", "aria-live": "polite", popover: "manual" });
  if (!there) document.body.append(place);
  else place.hidePopover();
  place.showPopover();
  return place;
}
