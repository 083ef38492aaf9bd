// The agent's source around a place, with its line marked.

import { h } from "../dom.js";

/** @import {Place, SourceExcerpt} from "../types.js" */

/** @param {SourceExcerpt} source @returns {HTMLElement} */
export function sourceExcerpt(source) {
  const lines = source.lines.map((text, offset) => {
    const number = source.first_line + offset;
    const here = number === source.line;
    return h(
      "div",
      { class: here ? "source-line here" : "source-line", "aria-current": here ? "true" : null },
      h("span", { class: "source-number" }, String(number)),
      h("code", null, text || " "),
      here && source.column > 0 && caret(text, source.column),
    );
  });
  return h(
    "figure",
    { class: "source" },
    h("figcaption", { class: "mono" }, `${source.path}:${source.line}:${source.column}`),
    h("div", { class: "source-lines", tabindex: 0, role: "region", "aria-label": `Source around line ${source.line}` }, ...lines),
  );
}

/** Under the column that is meant; tabs before it stay tabs, so that it stands where they lead. @param {string} text @param {number} column */
function caret(text, column) {
  const before = text.slice(0, column - 1).replace(/[^\t]/g, " ");
  return h("code", { class: "source-caret", "aria-hidden": "true" }, `${before}^`);
}

/** @param {Place | null} place */
export const placeText = (place) => (place ? `${place.path}:${place.line}:${place.column}` : null);
