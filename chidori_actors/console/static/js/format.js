/**
 * Values as people read them. Times are milliseconds since 1970 or RFC 3339 text, as the API gives them.
 */

import { writeExactly } from "./exact-json.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const INTEGER = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const DATE = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/**
 * How long: `480 µs`, `12 ms`, `3.2 s`, `4 min 5 s`, `2 h 10 min`, `3 d 4 h`; `–` when it is not known.
 *
 * @param {number | null | undefined} ms
 * @returns {string}
 */
export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 0) return "0 ms";
  if (ms > 0 && ms < 1) return `${Math.round(ms * 1000)} µs`;
  // Rounded first: 59.99 s is a minute, not 60.0 s.
  if (rounded(ms, 1) < SECOND) return `${Math.round(ms)} ms`;
  if (rounded(ms, 10) < 10 * SECOND) return `${(ms / SECOND).toFixed(2).replace(/\.?0+$/, "")} s`;
  if (rounded(ms, 100) < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  if (rounded(ms, SECOND) < HOUR) return two(ms, MINUTE, "min", SECOND, "s");
  if (rounded(ms, MINUTE) < DAY) return two(ms, HOUR, "h", MINUTE, "min");
  return two(ms, DAY, "d", HOUR, "h");
}

/**
 * A time in milliseconds since 1970; NaN when it is none.
 *
 * @param {number | string | null | undefined} time
 * @returns {number}
 */
export function milliseconds(time) {
  if (time === null || time === undefined) return NaN;
  return typeof time === "number" ? time : Date.parse(time);
}

/**
 * How long ago: `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`, later the date.
 *
 * @param {number | string | null | undefined} time
 * @param {number} [now]
 * @returns {string}
 */
export function ago(time, now = Date.now()) {
  const past = now - milliseconds(time);
  if (Number.isNaN(past)) return "–";
  if (past < 5 * SECOND) return "just now";
  if (past < MINUTE) return `${Math.floor(past / SECOND)} s ago`;
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
  if (past < 30 * DAY) return `${Math.floor(past / DAY)} d ago`;
  return DATE.format(milliseconds(time));
}

/**
 * The date and time to the second, in the reader's time zone.
 *
 * @param {number | string | null | undefined} time
 * @returns {string}
 */
export function exactTime(time) {
  const at = milliseconds(time);
  return Number.isNaN(at) ? "–" : EXACT.format(at);
}

/**
 * The time as RFC 3339 text for `<time datetime>`; empty when it is none.
 *
 * @param {number | string | null | undefined} time
 * @returns {string}
 */
export function machineTime(time) {
  const at = milliseconds(time);
  return Number.isNaN(at) ? "" : new Date(at).toISOString();
}

/**
 * A whole number with separators: `10,000`; `–` when it is not known.
 *
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function count(value) {
  return value === null || value === undefined ? "–" : INTEGER.format(value);
}

/**
 * A number with its noun: `1 call`, `10,000 calls`.
 *
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * Tokens that went in and came out: `1.2K in · 340 out`; empty when neither is known.
 *
 * @param {number | null | undefined} input
 * @param {number | null | undefined} output
 * @returns {string}
 */
export function tokens(input, output) {
  if ((input ?? null) === null && (output ?? null) === null) return "";
  return `${COMPACT.format(input ?? 0)} in · ${COMPACT.format(output ?? 0)} out`;
}

/**
 * A size: `312 B`, `4.0 KB`, `5.1 MB`.
 *
 * @param {number} size in bytes
 * @returns {string}
 */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  if (size < 1_000_000) return `${(size / 1000).toFixed(1)} KB`;
  return `${(size / 1_000_000).toFixed(1)} MB`;
}

/**
 * JSON with two spaces of indentation.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function jsonText(value) {
  return writeExactly(value, 2);
}

/**
 * At most `length` characters; what was left out shows as `…`. No character is cut in two.
 *
 * @param {string} text
 * @param {number} length
 * @returns {string}
 */
export function clip(text, length) {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/**
 * The text on one line, clipped.
 *
 * @param {string} text
 * @param {number} [length]
 * @returns {string}
 */
export function oneLine(text, length = 160) {
  return clip(text.slice(0, length * 4).replace(/\s+/g, " ").trim(), length);
}

/**
 * The beginning of an id that is still told from others: `01981c3f` of a UUID.
 *
 * @param {string} id
 * @returns {string}
 */
export function shortId(id) {
  return /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(id) ? id.slice(0, 8) : clip(id, 24);
}

/**
 * @param {number} value
 * @param {number} step
 * @returns {number}
 */
function rounded(value, step) {
  return Math.round(value / step) * step;
}

/**
 * @param {number} ms
 * @param {number} large
 * @param {string} largeUnit
 * @param {number} small
 * @param {string} smallUnit
 * @returns {string}
 */
function two(ms, large, largeUnit, small, smallUnit) {
  const smalls = Math.round(ms / small);
  const rest = smalls % (large / small);
  const whole = Math.floor(smalls / (large / small));
  return rest === 0 ? `${whole} ${largeUnit}` : `${whole} ${largeUnit} ${rest} ${smallUnit}`;
}
