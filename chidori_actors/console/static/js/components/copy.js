/** Copying text, also where the page has no clipboard because it came over plain HTTP. */

import { h } from "../dom.js";
import { toastFault } from "./toast.js";

const SHOWN_MS = 1500;

/**
 * A button that copies.
 *
 * @param {string | (() => string)} text
 * @param {string} [label] what a screen reader says of it, e.g. `Copy the command`
 * @returns {HTMLButtonElement}
 */
export function copyButton(text, label = "Copy") {
  const word = h("span", { "aria-live": "polite" }, "Copy");
  const button = h(
    "button",
    { type: "button", class: "button small copy", title: label },
    word,
    h("span", { class: "said" }, label.replace(/^Copy/, "")),
  );
  button.addEventListener("click", async () => {
    try {
      await copyText(typeof text === "function" ? text() : text);
      word.textContent = "Copied";
      setTimeout(() => (word.textContent = "Copy"), SHOWN_MS);
    } catch (fault) {
      toastFault(fault, "Nothing was copied");
    }
  });
  return button;
}

/**
 * @param {string} text
 * @returns {Promise<void>}
 */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "said", "aria-hidden": "true" });
  area.value = text;
  const within = document.activeElement?.closest("dialog") ?? document.body;
  within.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("the browser did not allow it; select the text and press Ctrl+C");
  return undefined;
}
