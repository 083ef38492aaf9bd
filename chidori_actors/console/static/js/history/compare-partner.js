/**
 * Asks which run to compare with: one of the family, or any other by its id.
 *
 * @import {ForkTree} from "../types.js"
 */

import { api, isAbort, sessionPath } from "../api.js";
import { failure, loading } from "../components/notice.js";
import { timeAgo } from "../components/time.js";
import { h, replace } from "../dom.js";
import { oneLine, shortId } from "../format.js";
import { navigate, runPath } from "../router.js";
import { badge } from "../state.js";
import { treeRows } from "./forest.js";

const MOST = 50;

/**
 * @param {HTMLElement} place
 * @param {string} left
 * @param {AbortSignal} signal
 */
export async function choosePartner(place, left, signal) {
  replace(place, loading("Looking for runs to compare with…"));
  try {
    /** @type {ForkTree} */
    const family = await api.get(sessionPath(left, "forks"), { signal });
    replace(place, h("div", { class: "stack compare-choice" }, h("h2", null, "Compare with which run?"), relatives(family, left), byId(left)));
  } catch (fault) {
    if (!isAbort(fault)) replace(place, failure(fault, () => choosePartner(place, left, signal)));
  }
}

/** @param {ForkTree} family @param {string} left */
function relatives(family, left) {
  const others = treeRows(family.root, new Set()).map(({ node }) => node).filter((node) => node.id !== left && !node.missing);
  if (others.length === 0) return h("p", { class: "muted" }, "This run has no forks yet: open a call, edit what it answered, and start one. Or name any other run.");
  const items = others.slice(0, MOST).map((node) => {
    const from = node.replay ? "replay" : node.at_seq === null ? "origin" : `fork at #${node.at_seq}`;
    return h(
      "li",
      { class: "row" },
      h("a", { class: "mono", href: runPath(left, { tab: "compare", other: node.id }), title: node.id }, shortId(node.id)),
      node.status !== null && badge(node.status),
      h("span", { class: "small" }, from),
      node.created_at !== null && h("span", { class: "small muted" }, timeAgo(node.created_at)),
      node.note !== null && h("span", { class: "small muted" }, oneLine(node.note, 100)),
    );
  });
  return h("ul", { class: "stack" }, items);
}

/** @param {string} left */
function byId(left) {
  const input = h("input", { type: "text", class: "input mono", required: true, autocomplete: "off", spellcheck: "false" });
  const form = h(
    "form",
    { class: "row compare-form" },
    h("label", { class: "field" }, h("span", null, "Id of another run"), input),
    h("button", { type: "submit", class: "button" }, "Compare"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const other = input.value.trim();
    if (other !== "") navigate(runPath(left, { tab: "compare", other }));
  });
  return form;
}
