/**
 * JSON whose numbers stay as they were written. An agent may have an integer beyond 2^53, or 1.0 where 1 is something
 * else; JavaScript's own parser would round the one and lose the other.
 */

/** JSON text that stands for itself: a number that JavaScript has no equal of, or what a person typed. */
export class RawJson {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** Before what stands for a `RawJson` within texts; nobody can guess it, so no text of a run has it. */
const MARK = `raw-json-${crypto.getRandomValues(new Uint32Array(4)).join("-")}:`;
const MARKED = new RegExp(`"${MARK}(\\d+)"`, "g");
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/gs;
const SUSPECT = /\d{16}|\d[.eE]|-0/;

/**
 * The value of a JSON text, with a `RawJson` for each number that JavaScript would write in another way.
 *
 * @param {string} text
 * @returns {any}
 * @throws {SyntaxError} it is no JSON
 */
export function parseExactly(text) {
  const value = JSON.parse(text);
  if (!SUSPECT.test(text)) return value;
  let found = false;
  const marked = text.replace(STRING_OR_NUMBER, (token) => {
    if (token[0] === '"' || String(Number(token)) === token) return token;
    found = true;
    return `"${MARK}${token}"`;
  });
  if (!found) return value;
  return JSON.parse(marked, (_, each) => (typeof each === "string" && each.startsWith(MARK) ? new RawJson(each.slice(MARK.length)) : each));
}

/**
 * A value as JSON, each `RawJson` in it as it stands.
 *
 * @param {unknown} value
 * @param {number} [indent] spaces
 * @returns {string}
 */
export function writeExactly(value, indent) {
  /** @type {string[]} */
  const raw = [];
  const written = JSON.stringify(value, (_, each) => (each instanceof RawJson ? `${MARK}${raw.push(each.text) - 1}` : each), indent);
  return raw.length === 0 ? (written ?? "null") : written.replace(MARKED, (_, index) => raw[Number(index)]);
}
