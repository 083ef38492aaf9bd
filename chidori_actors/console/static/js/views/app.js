/** `<chidori-app>`: the header, the view that the address names, the key, and what the keys of the keyboard do. */

import { api, connection, isAbort } from "../api.js";
import { openDialog } from "../components/dialog.js";
import { loading } from "../components/notice.js";
import { keepTimes } from "../components/time.js";
import { define, h, replace, svg } from "../dom.js";
import { shortId } from "../format.js";
import { currentRoute, routes, runsPath, startRouter } from "../router.js";
import { askForKey, keyButton } from "./key.js";

/**
 * @import {Route} from "../router.js"
 * @import {ServerView} from "../types.js"
 */

const SHORTCUTS = [
  ["?", "This help"],
  ["/", "Search the runs or the calls"],
  ["j  k", "The next run, the one before"],
  ["Enter", "Open what is chosen"],
  ["Esc", "Close what is open over the page"],
  ["Tab", "The next thing that can be used"],
];

class ChidoriApp extends HTMLElement {
  #main = h("main", { id: "main", class: "page", tabindex: "-1" }, loading());
  #facts = h("div", { class: "facts" });
  #offline = h("div", { class: "offline-bar", role: "status", hidden: true });
  /** The list stays as it is while a run is looked at. */
  #runs = document.createElement("runs-view");
  #shown = "";
  /** @type {Map<string, number>} */
  #scrolled = new Map();
  #leaving = new AbortController();

  connectedCallback() {
    const { signal } = (this.#leaving = new AbortController());
    replace(this, skipLink(), this.#header(), this.#offline, this.#main);
    startRouter(signal);
    keepTimes(signal);
    routes.addEventListener("route", () => this.#show(), { signal });
    connection.addEventListener("key-needed", () => askForKey(), { signal });
    connection.addEventListener("offline", () => this.#tellOffline(true), { signal });
    connection.addEventListener("online", () => this.#tellOffline(false), { signal });
    document.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    for (const event of ["online", "key-given"]) {
      connection.addEventListener(event, () => !this.#facts.firstChild && this.#describeServer(signal), { signal });
    }
    history.scrollRestoration = "manual";
    this.#show();
    this.#describeServer(signal);
  }

  disconnectedCallback() {
    this.#leaving.abort();
  }

  #header() {
    const help = h("button", { type: "button", class: "button quiet icon", "aria-label": "Keyboard help" }, "?");
    help.addEventListener("click", showHelp);
    return h(
      "header",
      { class: "app-header" },
      h(
        "a",
        { class: "brand", href: runsPath() },
        mark(),
        h("span", null, "Chidori"),
        h("span", { class: "said" }, ": all runs"),
      ),
      this.#facts,
      help,
    );
  }

  /** @param {AbortSignal} signal */
  async #describeServer(signal) {
    try {
      const server = /** @type {ServerView} */ (await api.get("/server", { signal }));
      const title = `${server.store} · version ${server.version}`;
      replace(
        this.#facts,
        !server.agents && h(
          "span",
          { class: "chip", title: "No agent is served here: runs can be read, replayed and forked." },
          "store only",
        ),
        server.read_only && h("span", { class: "chip" }, "read only"),
        h("span", { class: "store clip mono", title }, h("bdi", null, server.store)),
        h("span", { class: "version muted small" }, server.version),
        server.needs_key && keyButton(),
      );
    } catch (fault) {
      // The views say what is wrong; the header goes on without, until the server is back or has its key.
      if (!isAbort(fault)) console.debug("the server was not described", fault);
    }
  }

  #show() {
    const route = currentRoute();
    const key = route.name === "run" ? `run ${route.id}` : route.name;
    document.title = titleOf(route);
    if (key === this.#shown) return;
    this.#scrolled.set(this.#shown, scrollY);
    const first = this.#shown === "";
    this.#shown = key;
    replace(this.#main, this.#viewOf(route));
    scrollTo(0, (route.name === "runs" && this.#scrolled.get(key)) || 0);
    if (!first) this.#main.focus({ preventScroll: true });
  }

  /** @param {Route} route */
  #viewOf(route) {
    if (route.name === "runs") return this.#runs;
    if (route.name === "run") return h("run-view", { "run-id": route.id });
    return h(
      "div",
      { class: "notice" },
      h("p", { class: "notice-title" }, "There is no such page."),
      h("a", { href: runsPath() }, "All runs"),
    );
  }

  /** @param {boolean} offline */
  #tellOffline(offline) {
    this.#offline.hidden = !offline;
    replace(
      this.#offline,
      offline && h("strong", null, "The server cannot be reached."),
      offline && " What you see may be old. Is `chidori serve` or `chidori console` still running?",
      offline && " This page goes on by itself.",
    );
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const at = /** @type {Element} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (at.closest("input, textarea, select, [contenteditable]")) return;
    if (event.key === "?") {
      event.preventDefault();
      showHelp();
    } else if (event.key === "/") {
      const search = /** @type {HTMLElement | null} */ (this.#main.querySelector("input[type=search]"));
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  }
}

/** @returns {HTMLElement} */
function skipLink() {
  return h("a", { class: "skip-link", href: "#main" }, "Skip to the content");
}

/** @returns {SVGElement} two lanes, one of which forks */
function mark() {
  return svg(
    "svg",
    { class: "mark", viewBox: "0 0 20 20", width: 20, height: 20, "aria-hidden": "true" },
    svg("path", { d: "M3 6h4.5c4.5 0 4.5 8 9 8M3 14h4.5c1.7 0 2.8-1.2 3.7-2.7M12.6 8.7C13.5 7.2 14.7 6 16.5 6" }),
  );
}

function showHelp() {
  const rows = SHORTCUTS.map(([keys, what]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, keys.split("  ").map((each) => [h("kbd", null, each), " "]).flat()),
      h("td", null, what),
    ),
  );
  openDialog({
    title: "Keyboard",
    content: h("table", { class: "shortcuts" }, h("tbody", null, rows)),
  });
}

/**
 * @param {Route} route
 * @returns {string}
 */
function titleOf(route) {
  if (route.name !== "run") return "Runs · Chidori console";
  const what = { timeline: "Run", calls: "Calls of", forks: "Forks of", compare: "Compare", commands: "Commands of" }[route.tab];
  return `${what} ${shortId(route.id)} · Chidori console`;
}

define("chidori-app", ChidoriApp);
