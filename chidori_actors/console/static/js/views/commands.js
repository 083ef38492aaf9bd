/**
 * `<take-away run-id>`: what leaves the console: the checkpoint file, which is a test's fixture too, and the same
 * steps as commands to copy.
 *
 * @import {CommandList} from "../types.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { copyButton } from "../components/copy.js";
import { failure, loading } from "../components/notice.js";
import { toast, toastFault } from "../components/toast.js";
import { define, h, replace } from "../dom.js";
import { bytes } from "../format.js";

const KEPT_MS = 60_000;

class TakeAway extends HTMLElement {
  #commands = h("div", null, loading("Loading the commands…"));
  #leaving = new AbortController();

  get runId() {
    return this.getAttribute("run-id") ?? "";
  }

  connectedCallback() {
    this.#leaving = new AbortController();
    replace(
      this,
      this.#checkpoint(),
      h("section", { class: "panel" }, h("div", { class: "panel-header" }, h("h2", null, "Commands")), this.#commands),
    );
    this.#load();
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  async #load() {
    try {
      const { commands } = /** @type {CommandList} */ (await api.get(
        sessionPath(this.runId, "commands"),
        { signal: this.#leaving.signal },
      ));
      const rows = commands.map(({ title, command }) =>
        h(
          "li",
          null,
          h(
            "div",
            { class: "row" },
            h("h3", null, title),
            h("span", { class: "push" }, copyButton(command, `Copy the command: ${title}`)),
          ),
          h("pre", { class: "command" }, command),
        ),
      );
      replace(this.#commands, h("ul", { class: "commands" }, rows));
    } catch (fault) {
      if (!isAbort(fault)) replace(this.#commands, failure(fault, () => this.#load()));
    }
  }

  #checkpoint() {
    const file = `${this.runId}.json`;
    const verify = `chidori verify ./${file}`;
    const button = h("button", { type: "button", class: "button primary" }, "Download the checkpoint");
    button.addEventListener("click", () => this.#download(button, file));
    return h(
      "section",
      { class: "panel" },
      h("div", { class: "panel-header" }, h("h2", null, "Checkpoint file")),
      h(
        "div",
        { class: "panel-body stack" },
        h(
          "p",
          null,
          "The whole run: every call with its answer, and the agent's source. Anybody can import it, replay it and fork it on another machine.",
        ),
        h("div", { class: "row" }, button, h("code", { class: "wrap" }, file)),
        h(
          "p",
          null,
          "It is a test fixture as it is: keep it with your tests, and this fails as soon as the agent would do something else:",
        ),
        h(
          "div",
          { class: "command-line" },
          h("pre", { class: "command" }, verify),
          copyButton(verify, "Copy the command that verifies the file"),
        ),
        h(
          "p",
          { class: "muted small" },
          "It has everything that the agent sent and received, secrets in prompts included; what env() gave is not in it.",
        ),
      ),
    );
  }

  /**
   * A link would not send the key.
   *
   * @param {HTMLButtonElement} button
   * @param {string} file
   */
  async #download(button, file) {
    button.disabled = true;
    try {
      const blob = await api.blob(sessionPath(this.runId, "checkpoint"), { signal: this.#leaving.signal });
      const address = URL.createObjectURL(blob);
      h("a", { href: address, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
      toast(`${file} is downloaded, ${bytes(blob.size)}.`);
    } catch (fault) {
      if (!isAbort(fault)) toastFault(fault, "The checkpoint was not downloaded");
    } finally {
      button.disabled = false;
    }
  }
}

define("take-away", TakeAway);
