/**
 * Where a text stops being JSON, and why. Browsers word and place this differently (Safari names no place at all), and a
 * person who edits a result needs the line.
 */

/** @typedef {{line: number, column: number, offset: number, message: string}} JsonFault line and column count from 1 */

const BLANKS = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const PLAIN = /[^"\\\u0000-\u001f]+/y;
const LITERALS = new Map([["True", "true"], ["False", "false"], ["None", "null"], ["undefined", "null"], ["NaN", "null"]]);

/** What stands open around a place: the bracket that closes it, and where the opening one is. */
/** @typedef {{close: "]"|"}", at: number}} Open */

/** A fault in a text, while it is only known by its offset. */
class Fault extends Error {
  /** @param {number} offset @param {string} message */
  constructor(offset, message) {
    super(message);
    this.offset = offset;
  }
}

/**
 * The first place where `text` is not JSON; null when it is JSON.
 * @param {string} text
 * @returns {JsonFault|null}
 */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch {
    try {
      scan(text);
    } catch (fault) {
      if (fault instanceof Fault) return { ...placeOf(text, fault.offset), message: fault.message };
      throw fault;
    }
    return { ...placeOf(text, text.length), message: "this is not JSON" };
  }
}

/**
 * Line and column, from 1, of an offset in a text.
 * @param {string} text
 * @param {number} offset
 */
function placeOf(text, offset) {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - lineStart + 1, offset };
}

/**
 * Go through a text that is not JSON up to its first fault. Not recursive: a text may be nested as deep as it likes.
 * @param {string} text
 */
function scan(text) {
  /** @type {Open[]} */
  const open = [];
  let at = value(text, skip(text, 0), open);
  for (;;) {
    at = skip(text, at);
    const inside = open.at(-1);
    if (inside === undefined) {
      if (at < text.length) throw new Fault(at, "the value ends before this: one JSON value is all there can be");
      return;
    }
    at = afterItem(text, at, inside, open);
  }
}

/**
 * What follows an item of an array or object: its end, or a comma and the next item. An opening bracket counts as an item
 * that has just ended with nothing in it.
 * @param {string} text @param {number} at @param {Open} inside @param {Open[]} open
 */
function afterItem(text, at, inside, open) {
  const isFirst = at === skip(text, inside.at + 1);
  if (text[at] === inside.close) {
    open.pop();
    return at + 1;
  }
  if (at >= text.length) throw unclosed(text, inside);
  if (isFirst) return item(text, at, inside, open);
  if (text[at] === "]" || text[at] === "}") throw new Fault(at, `${inside.close} is expected here, not ${text[at]}`);
  if (text[at] !== ",") throw new Fault(at, commentAt(text, at) ?? `a comma or ${inside.close} is missing before this`);
  const next = skip(text, at + 1);
  if (text[next] === inside.close) throw new Fault(at, `no comma may stand before ${inside.close}`);
  return item(text, next, inside, open);
}

/** @param {string} text @param {number} at @param {Open} inside @param {Open[]} open */
function item(text, at, inside, open) {
  if (at >= text.length) throw unclosed(text, inside);
  return inside.close === "]" ? value(text, at, open) : member(text, at, open);
}

/** @param {string} text @param {number} at @param {Open[]} open */
function member(text, at, open) {
  if (text[at] !== '"') {
    throw new Fault(at, commentAt(text, at) ?? "a name in double quotes is expected here");
  }
  const colon = skip(text, string(text, at));
  if (text[colon] !== ":") throw new Fault(colon, "a colon is missing after the name");
  return value(text, skip(text, colon + 1), open);
}

/**
 * Where the value at `at` ends; for an array or object, the place behind its opening bracket.
 * @param {string} text @param {number} at @param {Open[]} open
 */
function value(text, at, open) {
  const first = text[at];
  if (first === undefined) throw new Fault(at, text.trim() === "" ? "a JSON value is needed" : "a value is missing at the end");
  if (first === '"') return string(text, at);
  if (first === "[" || first === "{") {
    open.push({ close: first === "[" ? "]" : "}", at });
    return at + 1;
  }
  const word = match(WORD, text, at);
  if (word !== "") return literal(word, at);
  const number = match(NUMBER, text, at);
  if (number === "") throw new Fault(at, commentAt(text, at) ?? unexpected(first));
  if (/[0-9.]/.test(text[at + number.length] ?? "")) throw new Fault(at, "this is not a number as JSON writes it");
  return at + number.length;
}

/** @param {string} word @param {number} at */
function literal(word, at) {
  if (word === "true" || word === "false" || word === "null") return at + word.length;
  const meant = LITERALS.get(word);
  throw new Fault(at, meant === undefined ? "a text stands in double quotes" : `JSON writes ${meant} for ${word}`);
}

/** Where the text at `at` ends. @param {string} text @param {number} at */
function string(text, at) {
  let here = at + 1;
  for (;;) {
    here += match(PLAIN, text, here).length;
    const next = text[here];
    if (next === '"') return here + 1;
    if (next === undefined || next === "\n" || next === "\r") {
      throw new Fault(at, "the text that begins here has no closing quote on its line (a line break is written \\n)");
    }
    if (next !== "\\") throw new Fault(here, next === "\t" ? "a tab is written \\t in a text" : "a control character stands in a text");
    const escape = match(ESCAPE, text, here);
    if (escape === "") throw new Fault(here, "this is no escape that JSON knows; a backslash itself is written \\\\");
    here += escape.length;
  }
}

/** @param {string} text @param {Open} inside */
function unclosed(text, inside) {
  const { line } = placeOf(text, inside.at);
  return new Fault(text.length, `${inside.close} is missing: the ${text[inside.at]} of line ${line} is never closed`);
}

/** @param {string} first */
function unexpected(first) {
  if (first === "'" || first === "`" || first === "“") return "a text stands in double quotes";
  return first === "]" || first === "}" || first === "," ? `a value is missing before ${first}` : "a value is expected here";
}

/** @param {string} text @param {number} at @returns {string|null} */
function commentAt(text, at) {
  return text.startsWith("//", at) || text.startsWith("/*", at) || text[at] === "#" ? "JSON has no comments" : null;
}

/** @param {string} text @param {number} at */
function skip(text, at) {
  return at + match(BLANKS, text, at).length;
}

/** @param {RegExp} pattern @param {string} text @param {number} at */
function match(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}
