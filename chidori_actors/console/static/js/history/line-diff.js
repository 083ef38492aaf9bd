/** The lines of a diff, as two columns, as folded stretches, and with the changed part of a line found. */

/** @import {DiffLine} from "../types.js" */
/** @typedef {{left: DiffLine|null, right: DiffLine|null}} DiffRow */

const CONTEXT = 3;
const SHORTEST_FOLD = 4;

/**
 * Lines one below the other as rows side by side: what was removed stands beside what was added in its place.
 * @param {DiffLine[]} lines
 * @returns {DiffRow[]}
 */
export function diffRows(lines) {
  /** @type {DiffRow[]} */
  const rows = [];
  /** @type {DiffLine[]} */
  let removed = [];
  /** @type {DiffLine[]} */
  let added = [];
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index++) {
      rows.push({ left: removed[index] ?? null, right: added[index] ?? null });
    }
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.op === " ") {
      flush();
      rows.push({ left: line, right: line });
    } else if (line.op === "-") {
      // A removal behind an addition belongs to the next change.
      if (added.length > 0) flush();
      removed.push(line);
    } else {
      added.push(line);
    }
  }
  flush();
  return rows;
}

/**
 * Stretches of equal items that are long, apart from the rest, with a few lines of context left around each change.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => boolean} isEqual
 * @returns {{fold: boolean, rows: T[]}[]}
 */
export function folded(items, isEqual) {
  /** @type {{fold: boolean, rows: T[]}[]} */
  const stretches = [];
  /** @param {boolean} fold @param {T[]} rows */
  const add = (fold, rows) => {
    const last = stretches.at(-1);
    if (rows.length === 0) return;
    if (last !== undefined && !last.fold && !fold) last.rows.push(...rows);
    else stretches.push({ fold, rows });
  };
  for (let from = 0, to; from < items.length; from = to) {
    const equal = isEqual(/** @type {T} */ (items[from]));
    to = from + 1;
    while (to < items.length && isEqual(/** @type {T} */ (items[to])) === equal) to++;
    const [start, end] = equal ? hidden(from, to, items.length) : [to, to];
    add(false, items.slice(from, start));
    add(true, items.slice(start, end));
    add(false, items.slice(end, to));
  }
  return stretches;
}

/** The part of an equal stretch that is not context of a change. @param {number} from @param {number} to @param {number} length */
function hidden(from, to, length) {
  const start = from === 0 ? from : from + CONTEXT;
  const end = to === length ? to : to - CONTEXT;
  return end - start >= SHORTEST_FOLD && !(from === 0 && to === length) ? [start, end] : [to, to];
}

/**
 * How many characters two lines have in common at their beginning and at their end; what lies between differs.
 * @param {string} left
 * @param {string} right
 * @returns {{start: number, end: number}|null} null when they share too little for a mark to help
 */
export function commonEnds(left, right) {
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start] === right[start]) start++;
  let end = 0;
  while (end < shorter - start && left[left.length - 1 - end] === right[right.length - 1 - end]) end++;
  // Between the halves of a surrogate pair nothing may be cut.
  if (isHigh(left, start - 1)) start--;
  if (isHigh(left, left.length - end - 1) && end > 0) end--;
  const blanks = left.length - left.trimStart().length;
  return start - Math.min(blanks, start) + end < 3 ? null : { start, end };
}

/** @param {string} text @param {number} index */
function isHigh(text, index) {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit <= 0xdbff;
}
