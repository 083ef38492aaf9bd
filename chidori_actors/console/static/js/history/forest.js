/** A family of runs as the rows of a tree, and where its keys lead (the pattern "tree view" of WAI-ARIA). */

/**
 * @import {ForkNode} from "../types.js"
 * @typedef {object} TreeRow
 * @property {ForkNode} node
 * @property {string|null} parentId
 * @property {number} level from 1
 * @property {number} position among its siblings, from 1
 * @property {number} siblings
 * @property {boolean|null} expanded null: it has no forks
 */

/**
 * The rows that are to be seen, in order. Not recursive: a chain of 1,000 forks is no deeper for it.
 * @param {ForkNode} root
 * @param {ReadonlySet<string>} collapsed ids of runs whose forks are hidden
 * @returns {TreeRow[]}
 */
export function treeRows(root, collapsed) {
  /** @type {TreeRow[]} */
  const rows = [];
  const waiting = [row(root, null, 1, 1, 1, collapsed)];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, level, expanded } = next;
    rows.push(next);
    if (expanded !== true) continue;
    const count = node.forks.length;
    const below = node.forks.map((fork, index) => row(fork, node.id, level + 1, index + 1, count, collapsed));
    waiting.push(...below.reverse());
  }
  return rows;
}

/**
 * @param {ForkNode} node @param {string|null} parentId @param {number} level @param {number} position
 * @param {number} siblings @param {ReadonlySet<string>} collapsed
 * @returns {TreeRow}
 */
function row(node, parentId, level, position, siblings, collapsed) {
  const expanded = node.forks.length === 0 ? null : !collapsed.has(node.id);
  return { node, parentId, level, position, siblings, expanded };
}

/** @typedef {{focus: string}|{expand: string}|{collapse: string}|null} TreeMove */

/**
 * What a key does in a tree; null when it does nothing there.
 * @param {TreeRow[]} rows
 * @param {string} focused id of the run that has the focus
 * @param {string} key as `KeyboardEvent.key`
 * @returns {TreeMove}
 */
export function treeMove(rows, focused, key) {
  const index = rows.findIndex((candidate) => candidate.node.id === focused);
  const here = rows[index];
  if (here === undefined) return null;
  switch (key) {
    case "ArrowDown":
      return focusOn(rows[index + 1]);
    case "ArrowUp":
      return focusOn(rows[index - 1]);
    case "Home":
      return focusOn(rows[0]);
    case "End":
      return focusOn(rows.at(-1));
    case "ArrowRight":
      return here.expanded === false ? { expand: focused } : here.expanded === true ? focusOn(rows[index + 1]) : null;
    case "ArrowLeft":
      return here.expanded === true ? { collapse: focused } : here.parentId === null ? null : { focus: here.parentId };
    default:
      return null;
  }
}

/** @param {TreeRow|undefined} target @returns {TreeMove} */
function focusOn(target) {
  return target === undefined ? null : { focus: target.node.id };
}
