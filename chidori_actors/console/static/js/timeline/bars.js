// A bar is one call, or several that lie closer together than a pixel.

/** @typedef {import("../types.js").Bar} CallBar */
/** @typedef {import("../types.js").MergedBar} MergedBar */
/** @typedef {CallBar | MergedBar} AnyBar */

/** @param {AnyBar} bar @returns {bar is MergedBar} */
export const isMerged = (bar) => "merged" in bar;

/** @param {AnyBar} bar @returns {number} the (first) call of a bar */
export const seqOf = (bar) => (isMerged(bar) ? bar.first_seq : bar.seq);

/** @param {AnyBar} bar @param {number} seq */
export const holds = (bar, seq) =>
  isMerged(bar) ? bar.first_seq <= seq && seq <= bar.last_seq : bar.seq === seq;

/** @param {AnyBar} bar @param {number} now @returns {number} */
export const endOf = (bar, now) => Math.max(bar.begin_ms, bar.end_ms ?? now);

/** How a bar is drawn. @param {AnyBar} bar @returns {import("./theme.js").Style} */
export const styleOf = (bar) => (bar.recorded && bar.state === "done" ? "recorded" : bar.state);
