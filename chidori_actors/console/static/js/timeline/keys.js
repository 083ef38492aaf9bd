// What the keys do on the timeline.

/** @typedef {"in" | "out" | "fit" | "follow" | "problem"} Command */

/** @type {{[key: string]: Command}} */
const COMMANDS = { "+": "in", "=": "in", "-": "out", _: "out", f: "fit", l: "follow", n: "problem" };
const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

/** @param {KeyboardEvent} event whether its key belongs to something else: a field, a dialog, the browser */
export function isTaken(event) {
  const target = /** @type {Element | null} */ (event.target instanceof Element ? event.target : null);
  const modified = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented;
  const typing = target?.closest("input, textarea, select, [contenteditable], .json, call-detail");
  return modified || Boolean(typing) || document.querySelector("dialog[open]") !== null;
}

/** @param {KeyboardEvent} event @returns {Command | undefined} */
export const commandOf = (event) => (Object.hasOwn(COMMANDS, event.key) ? COMMANDS[event.key] : undefined);

/** @param {KeyboardEvent} event @returns {boolean} whether the key goes from call to call */
export const isMove = (event) => MOVES.has(event.key);
