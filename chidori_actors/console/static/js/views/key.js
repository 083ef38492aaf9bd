/** The dialog for the key that a server with CHIDORI_API_KEY wants. */

import { forgetKey, giveKey, storedKey } from "../api.js";
import { openDialog } from "../components/dialog.js";
import { toast } from "../components/toast.js";
import { h } from "../dom.js";

/** Asks for the key, until the server takes one or the person gives up. */
export async function askForKey() {
  const refused = storedKey() !== null;
  const input = h("input", {
    type: "password",
    class: "input mono",
    autocomplete: "off",
    required: true,
    autofocus: true,
    "aria-describedby": "key-hint",
    "aria-invalid": refused ? "true" : null,
  });
  const form = h(
    "form",
    { class: "stack" },
    refused && h("p", { class: "field-fault", role: "alert" }, "The server did not take this key."),
    h("label", { class: "field" }, h("span", null, "Key"), input),
    h(
      "p",
      { id: "key-hint", class: "muted small" },
      "The server's CHIDORI_API_KEY. It is kept for this tab only and leaves it with the requests to this server.",
    ),
    h("div", { class: "dialog-actions" }, h("button", { type: "submit", class: "button primary" }, "Use this key")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close("given");
  });
  const dialog = openDialog({ title: "This server wants a key", content: form });
  giveKey((await dialog.closed) === "given" ? input.value.trim() : null);
}

/**
 * Forgets the key, or gives another one.
 *
 * @returns {HTMLElement}
 */
export function keyButton() {
  const button = h("button", { type: "button", class: "button small" }, "Forget key");
  button.addEventListener("click", () => {
    forgetKey();
    toast("The key is forgotten. The next request asks for it again.", { tone: "run" });
  });
  return button;
}
