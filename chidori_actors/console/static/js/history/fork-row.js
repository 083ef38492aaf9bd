/**
 * A run in the tree of its family.
 *
 * @import {ForkNode} from "../types.js"
 * @import {TreeRow} from "./forest.js"
 */

import { timeAgo } from "../components/time.js";
import { h } from "../dom.js";
import { count, counted, oneLine, shortId } from "../format.js";
import { runPath } from "../router.js";
import { badge, look } from "../state.js";

const DEEPEST_INDENT = 12;

/**
 * @param {TreeRow} row
 * @param {{current: string, focused: string, marked: string[]}} chosen ids of runs
 * @returns {HTMLElement}
 */
export function treeItem({ node, level, position, siblings, expanded }, { current, focused, marked }) {
  const isMarked = marked.includes(node.id);
  const item = h(
    "li",
    {
      class: `fork-row${node.id === current ? " current" : ""}${node.missing ? " missing" : ""}`,
      role: "treeitem",
      tabindex: node.id === focused ? 0 : -1,
      "aria-level": level,
      "aria-posinset": position,
      "aria-setsize": siblings,
      "aria-expanded": expanded === null ? null : String(expanded),
      "aria-selected": String(isMarked),
      "aria-current": node.id === current && "true",
      "aria-label": spoken(node, current),
      dataset: { run: node.id },
    },
    h("span", { class: "fork-twisty", "aria-hidden": "true", dataset: { twisty: "yes" } }, expanded === null ? "" : expanded ? "▾" : "▸"),
    !node.missing && h("span", { class: isMarked ? "fork-box marked" : "fork-box", "aria-hidden": "true" }, isMarked ? "✓" : ""),
    h("span", { class: "fork-left" }, cut(node)),
    node.missing ? h("code", { title: node.id }, shortId(node.id)) : link(node),
    node.status !== null && !node.missing && badge(node.status),
    node.id === current && h("span", { class: "fork-here" }, "this run"),
    h("span", { class: "fork-calls muted small" }, calls(node)),
    node.created_at !== null && h("span", { class: "muted small push" }, timeAgo(node.created_at)),
    node.note !== null && h("span", { class: "fork-note" }, oneLine(node.note, 200)),
  );
  item.style.setProperty("--level", String(Math.min(level - 1, DEEPEST_INDENT)));
  return item;
}

/** @param {ForkNode} node */
function link(node) {
  return h("a", { href: runPath(node.id), tabindex: -1, title: node.id, class: "mono" }, shortId(node.id));
}

/** Where a run left its parent. @param {ForkNode} node */
function cut(node) {
  if (node.replay) return "replay";
  return node.at_seq === null ? "" : `fork at #${node.at_seq}`;
}

/** @param {ForkNode} node */
function calls({ missing, call_count, live_calls }) {
  if (missing) return "not in this store";
  const shared = call_count - live_calls;
  if (shared <= 0) return counted(call_count, "call");
  return `${count(shared)} recorded + ${count(live_calls)} live`;
}

/** The row as it is read out. @param {ForkNode} node @param {string} current */
function spoken(node, current) {
  const state = node.missing || node.status === null ? null : look(node.status).word;
  const parts = [shortId(node.id), node.id === current && "this run", cut(node), state, calls(node), node.note && `note: ${oneLine(node.note, 200)}`];
  return parts.filter(Boolean).join(", ");
}
