/**
 * Dialogs over the page: `<dialog>` keeps the focus inside, closes by Escape and gives the focus back.
 *
 * @import {Child} from "../dom.js"
 */

import { h } from "../dom.js";

let dialogs = 0;

/**
 * Opens a dialog. It leaves the page when it is closed.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {Child} options.content
 * @param {boolean} [options.wide]
 * @param {() => boolean} [options.mayClose] asked before Escape or the × closes it
 * @returns {{element: HTMLDialogElement, closed: Promise<string>, close: (value?: string) => void}}
 *   `closed` resolves to what `close` was given, "" when a person left it.
 */
export function openDialog({ title, content, wide = false, mayClose = () => true }) {
  const id = `dialog-${++dialogs}`;
  const close = (value = "") => element.close(value);
  const leave = h("button", { type: "button", class: "button quiet icon", "aria-label": "Close" }, "✕");
  const element = h(
    "dialog",
    { class: wide ? "dialog wide" : "dialog", "aria-labelledby": id },
    h("header", { class: "dialog-header" }, h("h2", { id }, title), leave),
    h("div", { class: "dialog-body" }, content),
  );
  leave.addEventListener("click", () => mayClose() && close());
  element.addEventListener("cancel", (event) => {
    if (event.target === element && !mayClose()) event.preventDefault();
  });
  // A browser asks by `cancel` only once between two clicks or keys of a person, and then closes all the same.
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !mayClose()) event.preventDefault();
  });
  /** @type {Promise<string>} */
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      resolve(element.returnValue);
    });
  });
  document.body.append(element);
  element.showModal();
  return { element, closed, close };
}

/**
 * Asks before something is done.
 *
 * @param {object} options
 * @param {string} options.title
 * @param {Child} options.text what will happen
 * @param {string} options.action the word on the button that does it
 * @param {boolean} [options.danger]
 * @param {{label: string, value?: string}} [options.field] a line of text to be given with it
 * @returns {Promise<string | null>} the text of the field ("" without one); null when it is not to be done
 */
export async function confirmed({ title, text, action, danger = false, field }) {
  const input = field && h("input", { type: "text", class: "input", value: field.value ?? "", autofocus: true });
  const form = h(
    "form",
    { class: "stack" },
    h("div", { class: "wrap" }, text),
    input && h("label", { class: "field" }, h("span", null, field.label), input),
    h(
      "div",
      { class: "dialog-actions" },
      h("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Go back"),
      h("button", { type: "submit", class: danger ? "button danger" : "button primary" }, action),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close("yes");
  });
  const dialog = openDialog({ title, content: form });
  return (await dialog.closed) === "yes" ? (input?.value ?? "") : null;
}
