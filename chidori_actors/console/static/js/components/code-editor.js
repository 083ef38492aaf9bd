/**
 * A text area for code: line numbers, Tab indents, the line of a fault is marked.
 *
 * Attributes: `label` (its name), `wrap` (prose: lines are broken, no numbers), `describedby` (id of what explains it).
 * The text area's `input` events bubble from it. The keyboard is not caught: Escape and then Tab leaves, and so does
 * Shift+Tab.
 */

import { define, h, replace, setAttribute } from "../dom.js";

const INDENT = "  ";
const LEAST_LINES = 6;
const MOST_LINES = 13;
/** A longer text gets no numbers: they would cost more than the text itself. */
const MOST_NUMBERS = 20_000;

class CodeEditor extends HTMLElement {
  #area = h("textarea", {
    class: "code-area",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    on: {
      input: () => this.#show(),
      scroll: () => this.#follow(),
      keydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event),
      blur: () => this.#setLeaving(false),
    },
  });
  #numbers = h("pre", { class: "code-numbers", "aria-hidden": "true" });
  #marker = h("span", { class: "code-marker", "aria-hidden": "true" });
  #hint = h("p", { class: "code-hint", role: "status" });
  /** @type {number | null} */
  #faultLine = null;
  #leaving = false;
  #lines = 0;

  connectedCallback() {
    const wraps = this.hasAttribute("wrap");
    setAttribute(this.#area, "aria-label", this.getAttribute("label"));
    setAttribute(this.#area, "aria-describedby", this.getAttribute("describedby"));
    setAttribute(this.#area, "wrap", wraps ? "soft" : "off");
    this.classList.toggle("wraps", wraps);
    replace(this, h("div", { class: "code-frame" }, this.#numbers, this.#marker, this.#area), this.#hint);
    this.#setLeaving(false);
    this.#show();
  }

  /** The whole text. */
  get value() {
    return this.#area.value;
  }

  set value(text) {
    this.#area.value = text;
    // Reading begins at the top, not where a browser leaves the cursor.
    this.#area.setSelectionRange(0, 0);
    this.#area.scrollTop = 0;
    this.#show();
  }

  /**
   * Marks the line of a fault; null: the text has none. A fault without a line still says that the text is not valid.
   *
   * @param {{line: number | null} | null} fault
   */
  set fault(fault) {
    this.#faultLine = fault?.line ?? null;
    setAttribute(this.#area, "aria-invalid", fault !== null && "true");
    this.#follow();
  }

  /** Replaces the text as if it had been typed: it can be undone. @param {string} text */
  replaceText(text) {
    this.#area.focus();
    this.#area.select();
    this.#type(text);
  }

  /**
   * Puts the cursor at a line and column, which count from 1.
   *
   * @param {number} line
   * @param {number} column
   */
  focusAt(line, column) {
    const before = this.#area.value.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, text) => sum + text.length + 1, 0) + column - 1;
    this.#area.focus();
    this.#area.setSelectionRange(at, at);
    this.#area.scrollTop = Math.max(0, (line - 3) * this.#lineHeight());
  }

  focus() {
    this.#area.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "Escape" && !this.#leaving) {
      // Only the first one is taken: the next closes the dialog around the editor, as everywhere.
      event.preventDefault();
      event.stopPropagation();
      this.#setLeaving(true);
    } else if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !this.#leaving) {
      event.preventDefault();
      this.#type(INDENT);
    } else if (event.key !== "Tab" && event.key !== "Shift") {
      this.#setLeaving(false);
    }
  }

  /** @param {string} text */
  #type(text) {
    // setRangeText would empty the list of what can be undone.
    if (document.execCommand("insertText", false, text)) return;
    this.#area.setRangeText(text, this.#area.selectionStart, this.#area.selectionEnd, "end");
    this.#area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {boolean} leaving */
  #setLeaving(leaving) {
    this.#leaving = leaving;
    const text = leaving ? "Tab now leaves the editor." : "Tab indents. Press Esc, then Tab, to leave the editor.";
    if (this.#hint.textContent !== text) this.#hint.textContent = text;
  }

  #show() {
    const lines = this.#area.value.split("\n").length;
    if (lines !== this.#lines) {
      this.#lines = lines;
      this.#area.rows = Math.min(Math.max(lines, LEAST_LINES), MOST_LINES);
      const shown = this.hasAttribute("wrap") || lines > MOST_NUMBERS ? 0 : lines;
      this.#numbers.textContent = Array.from({ length: shown }, (_, index) => index + 1).join("\n");
    }
    this.#follow();
  }

  /** Moves the numbers and the mark to where the text area has been scrolled. */
  #follow() {
    this.#numbers.style.setProperty("transform", `translateY(${-this.#area.scrollTop}px)`);
    const isMarked = this.#faultLine !== null && !this.hasAttribute("wrap");
    this.#marker.hidden = !isMarked;
    if (!isMarked) return;
    const top = (Number(this.#faultLine) - 1) * this.#lineHeight() - this.#area.scrollTop;
    this.#marker.style.setProperty("transform", `translateY(${top}px)`);
  }

  #lineHeight() {
    return Number.parseFloat(getComputedStyle(this.#area).lineHeight) || 20;
  }
}

define("code-editor", CodeEditor);
export { CodeEditor };
