/**
 * `<json-view>`: any JSON as a tree, as text only. What is closed is not built, long lists and texts come in parts, so
 * that megabytes do not stop the page. Set `value`; `open-depth` says how far it is open (default 2).
 *
 * @import {Child} from "../dom.js"
 */

import { define, h, replace } from "../dom.js";
import { RawJson } from "../exact-json.js";
import { count, counted, jsonText, oneLine } from "../format.js";
import { copyButton } from "./copy.js";

const PART = 100;
const TEXT_PART = 4000;
const SUMMARY = 60;
const LINES_OPEN = 60;

class JsonView extends HTMLElement {
  /** @type {unknown} */
  #value = undefined;

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    if (this.isConnected) this.#render();
  }

  connectedCallback() {
    if (!this.firstChild) this.#render();
  }

  #render() {
    if (this.#value === undefined) return replace(this);
    const depth = Number(this.getAttribute("open-depth") ?? 2);
    const name = this.getAttribute("label") ?? "value";
    replace(
      this,
      h("div", { class: "json-tools" }, copyButton(() => copied(this.#value), `Copy ${name}`)),
      h("div", { class: "json", on: { keydown: moveByArrows } }, entry(null, this.#value, depth)),
    );
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function copied(value) {
  return typeof value === "string" ? value : jsonText(value);
}

/**
 * One value with its name.
 *
 * @param {string | null} name null for what has none
 * @param {unknown} value
 * @param {number} depth how many levels from here on are open
 * @returns {HTMLElement}
 */
function entry(name, value, depth) {
  if (value !== null && typeof value === "object" && !(value instanceof RawJson)) return container(name, value, depth);
  return h("div", { class: "json-entry" }, key(name), scalar(value));
}

/**
 * @param {string | null} name
 * @param {object} value
 * @param {number} depth
 * @returns {HTMLElement}
 */
function container(name, value, depth) {
  const list = Array.isArray(value);
  const names = list ? null : Object.keys(value);
  const size = names ? names.length : /** @type {unknown[]} */ (value).length;
  const [start, end] = list ? "[]" : "{}";
  if (size === 0) return h("div", { class: "json-entry" }, key(name), h("span", { class: "muted" }, start + end));
  const at = (/** @type {number} */ index) =>
    names
      ? entry(names[index], /** @type {Record<string, unknown>} */ (value)[names[index]], depth - 1)
      : entry(String(index), /** @type {unknown[]} */ (value)[index], depth - 1);
  const summary = h(
    "span",
    { class: "muted" },
    `${start} ${list ? counted(size, "item") : keysOf(names ?? [])} ${end}`,
  );
  const toggle = h("button", { type: "button", class: "json-toggle", "aria-expanded": "false" }, key(name), summary);
  const inside = h("div", { class: "json-inside", hidden: true });
  const show = (/** @type {boolean} */ open) => {
    toggle.setAttribute("aria-expanded", String(open));
    inside.hidden = !open;
    if (open && !inside.firstChild) appendParts(inside, size, at);
  };
  toggle.addEventListener("click", () => show(inside.hidden));
  if (depth > 0 && size <= LINES_OPEN) show(true);
  return h("div", { class: "json-entry" }, toggle, inside);
}

/**
 * Appends the first entries, and a button for the others.
 *
 * @param {HTMLElement} parent
 * @param {number} size
 * @param {(index: number) => HTMLElement} at
 * @param {number} [from]
 */
function appendParts(parent, size, at, from = 0) {
  const to = Math.min(size, from + PART);
  for (let index = from; index < to; index++) parent.append(at(index));
  if (to === size) return;
  const more = h("button", { type: "button", class: "json-more" }, `${count(size - to)} more…`);
  more.addEventListener("click", () => {
    more.remove();
    appendParts(parent, size, at, to);
    const next = /** @type {HTMLElement} */ (parent.children[to]);
    next.tabIndex = -1;
    next.focus();
  });
  parent.append(more);
}

/**
 * @param {unknown} value
 * @returns {HTMLElement}
 */
function scalar(value) {
  if (typeof value === "string") return text(value);
  const kind = typeof value === "number" || value instanceof RawJson ? "number" : "word";
  return h("span", { class: `json-${kind}` }, String(value));
}

/**
 * A text with its line breaks; a long one comes in parts.
 *
 * @param {string} value
 * @returns {HTMLElement}
 */
function text(value) {
  const shown = h("bdi", { class: "json-string" });
  const more = h("button", { type: "button", class: "json-more" });
  let end = 0;
  const grow = () => {
    const from = end;
    end = Math.min(value.length, Math.max(TEXT_PART, end * 4));
    shown.append(value.slice(from, end));
    more.textContent = `${count(value.length - end)} more characters…`;
    if (end === value.length) more.remove();
  };
  grow();
  more.addEventListener("click", grow);
  return h("span", { class: "json-text" }, shown, end < value.length && more);
}

/**
 * @param {string | null} name
 * @returns {Child}
 */
function key(name) {
  return name !== null && [h("bdi", { class: "json-key" }, name), h("span", { class: "muted" }, ": ")];
}

/**
 * @param {string[]} names
 * @returns {string}
 */
function keysOf(names) {
  return oneLine(names.slice(0, SUMMARY).join(", "), SUMMARY);
}

/** @param {KeyboardEvent} event */
function moveByArrows(event) {
  const toggle = /** @type {HTMLElement} */ (event.target);
  const expanded = toggle.getAttribute("aria-expanded");
  const opens = event.key === "ArrowRight" && expanded === "false";
  const closes = event.key === "ArrowLeft" && expanded === "true";
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (opens || closes) {
    toggle.click();
  } else if (step) {
    const tree = /** @type {HTMLElement} */ (event.currentTarget);
    const stops = [...tree.querySelectorAll("button")].filter((button) => button.checkVisibility());
    const next = stops[stops.indexOf(/** @type {HTMLButtonElement} */ (toggle)) + step];
    if (!next) return;
    next.focus();
  } else {
    return;
  }
  event.preventDefault();
}

define("json-view", JsonView);

/**
 * A `<json-view>` of a value.
 *
 * @param {unknown} value
 * @param {{depth?: number, label?: string}} [options] `label`: what its copy button copies, in words
 * @returns {HTMLElement}
 */
export function jsonView(value, { depth = 2, label = "the JSON" } = {}) {
  const view = new JsonView();
  view.setAttribute("open-depth", String(depth));
  view.setAttribute("label", label);
  view.value = value;
  return view;
}
