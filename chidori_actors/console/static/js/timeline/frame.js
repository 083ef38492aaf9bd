// The elements of the timeline, without what they do.

import { h } from "../dom.js";
import { look } from "../state.js";

const LEGEND = ["running", "waiting", "done", "failed", "cancelled", "recorded"];

const KEYS = [
  ["← →", "call before, call after"],
  ["↑ ↓", "lane above, lane below"],
  ["Home End", "first, last call of the lane"],
  ["Enter", "open the call"],
  ["+ −", "zoom in, zoom out"],
  ["f", "fit the whole run"],
  ["l", "follow what is live"],
  ["n", "next failed or waiting call"],
];

/** @param {string} name @param {string} word @param {string} title */
const button = (name, word, title) => h("button", { type: "button", class: `button small ${name}`, title, "aria-label": title }, word);

/** Everything of the timeline. @returns the elements by name; `all` are those to be put on the page */
export function buildFrame() {
  const out = button("zoom-out", "−", "Zoom out (−)");
  const into = button("zoom-in", "+", "Zoom in (+)");
  const fit = button("fit", "Fit", "Fit the whole run (f)");
  const follow = button("follow", "Follow live", "Follow what is live (l)");
  const next = button("next", "Next problem", "Next failed or waiting call (n)");
  const legend = h("ul", { class: "tl-legend", "aria-label": "Calls by state" });
  const swatches = new Map(
    LEGEND.map((state) => {
      const number = h("span", { class: "tl-number" });
      const item = h("li", { hidden: true }, h("span", { class: `tl-swatch ${state}`, "aria-hidden": "true" }), number, ` ${look(state).word}`);
      legend.append(item);
      return [state, { item, number }];
    }),
  );
  const keys = KEYS.map(([key, does]) => h("div", null, h("dt", null, h("kbd", null, key)), h("dd", null, does)));
  const help = h("details", { class: "tl-help" }, h("summary", { "aria-label": "Keys", title: "Keys" }, "?"), h("dl", null, ...keys));
  const bar = h("div", { class: "tl-bar" }, legend, h("div", { class: "tl-buttons" }, next, follow, fit, out, into, help));

  const strip = h("canvas", { "aria-hidden": "true" });
  const brush = h("div", { class: "tl-brush" });
  const overview = h("div", { class: "tl-overview", "aria-hidden": "true" }, strip, brush);

  const list = h("div", { class: "tl-list", role: "list", "aria-label": "Actors" });
  const gutter = h("div", { class: "tl-gutter" }, h("div", { class: "tl-corner" }, "Actor"), list);
  const canvas = h("canvas", { "aria-hidden": "true" });
  const cursor = h("button", { type: "button", class: "tl-cursor", "aria-label": "The first call that is visible", "aria-describedby": "tl-keys" });
  const plot = h("div", { class: "tl-plot" }, canvas, cursor);
  const sticky = h("div", { class: "tl-sticky" }, gutter, plot);
  const space = h("div", { class: "tl-space" }, sticky);
  const scroll = h("div", { class: "tl-scroll" }, space);
  const message = h("div", { class: "tl-message" });
  const tip = h("div", { class: "tl-tip", hidden: true, "aria-hidden": "true" });
  const voice = h("p", { class: "said", "aria-live": "polite" });
  const hint = h(
    "p",
    { class: "said", id: "tl-keys" },
    "Arrow keys go from call to call, Enter opens it, n goes to the next problem. The tab Calls has the same as a table.",
  );
  const all = [bar, overview, h("div", { class: "tl-body" }, scroll, message), tip, voice, hint];
  return { all, bar, out, into, fit, follow, next, swatches, overview, strip, brush, list, canvas, cursor, plot, sticky, space, scroll, message, tip, voice };
}
