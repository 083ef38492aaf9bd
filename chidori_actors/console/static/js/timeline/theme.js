// The colours of the canvas, from the custom properties of the page. Read once per theme, not once per frame.

/** @typedef {"done" | "recorded" | "running" | "waiting" | "failed" | "cancelled"} Style */
/** @typedef {{fill: string, line: string, text: string}} Paint */

/**
 * @typedef {object} Theme
 * @property {string} page
 * @property {string} stripe
 * @property {string} hover
 * @property {string} line
 * @property {string} grid
 * @property {string} text
 * @property {string} muted
 * @property {string} extent
 * @property {string} connector
 * @property {string} now
 * @property {string} queue
 * @property {string} font
 * @property {Record<Style, Paint>} bars
 */

/** @type {Style[]} */
export const STYLES = ["done", "recorded", "cancelled", "running", "waiting", "failed"];

/** @param {Element} element @returns {Theme} */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(`--tl-${name}`).trim() || "gray";
  const bars = Object.fromEntries(
    STYLES.map((state) => [
      state,
      { fill: colour(state), line: colour(`${state}-line`), text: colour(`${state}-text`) },
    ]),
  );
  return {
    page: colour("page"),
    stripe: colour("stripe"),
    hover: colour("hover"),
    line: colour("line"),
    grid: colour("grid"),
    text: colour("text"),
    muted: colour("muted"),
    extent: colour("extent"),
    connector: colour("connector"),
    now: colour("now"),
    queue: colour("queue"),
    font: style.fontFamily,
    bars: /** @type {Record<Style, Paint>} */ (bars),
  };
}

/**
 * Calls `changed` when the page turns light or dark.
 * @param {() => void} changed @param {AbortSignal} signal
 */
export function onThemeChange(changed, signal) {
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", changed, { signal });
  }
}
