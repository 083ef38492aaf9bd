// <run-timeline run-id>: a run as lanes of calls over time.

import { ApiError, api, connection, isAbort, sessionPath } from "../api.js";
import { empty, failure, loading } from "../components/notice.js";
import { define, replace, tell } from "../dom.js";
import { count } from "../format.js";
import { AXIS_HEIGHT } from "./axis.js";
import { endOf, holds, isMerged } from "./bars.js";
import { Cursor } from "./cursor.js";
import { buildFrame } from "./frame.js";
import { LaneLabels } from "./labels.js";
import { commandOf, isMove, isTaken } from "./keys.js";
import { LANE_PAD } from "./lanes.js";
import { WindowLoader } from "./loader.js";
import { TimelineModel } from "./model.js";
import { Overview } from "./overview.js";
import { listen } from "./pointer.js";
import { xOf } from "./scale.js";
import { Seeker, asQuery } from "./seeker.js";
import { TimelineRenderer } from "./renderer.js";
import { onThemeChange } from "./theme.js";
import { around } from "./windows.js";
import { problems, spoken } from "./words.js";

/** @typedef {import("./hit.js").Place} Place */
/** @typedef {import("../types.js").TimelineView} Timeline */

const OVERVIEW_EVERY_MS = 3000;
const ZOOM_STEP = 1.6;

export class RunTimeline extends HTMLElement {
  #model = new TimelineModel();
  #cursor = new Cursor(this.#model);
  #seeker = new Seeker(() => this.runId, this.#model, this.#cursor);
  #parts = buildFrame();
  #labels = new LaneLabels(this.#parts.list, (lane) => this.#enterLane(lane));
  #overview = new Overview(this.#parts.strip, this.#parts.brush, (ms, share) => this.#centre(ms, share));
  #renderer = new TimelineRenderer(this.#parts, this.#model, this.#cursor, this.#labels, this.#overview, () => this.#show());
  #abort = new AbortController();
  /** @type {WindowLoader | null} */
  #loader = null;
  #overviewAt = -Infinity;
  #overviewStale = true;

  get runId() {
    return this.getAttribute("run-id") ?? "";
  }

  connectedCallback() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    if (!this.hasChildNodes()) replace(this, ...this.#parts.all);
    this.#loader = new WindowLoader(
      (window, abort) => api.get(sessionPath(this.runId, "timeline"), { query: asQuery(window), signal: abort }),
      (window, answer, background) => this.#take(window, answer, background),
      (error) => this.#fail(error),
    );
    this.#renderer.restyle(this);
    onThemeChange(() => this.#renderer.restyle(this), signal);
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(this.#parts.plot);
    sizes.observe(this.#parts.scroll);
    signal.addEventListener("abort", () => sizes.disconnect());
    this.#listen(signal);
    this.#resize();
    if (!this.#model.head) replace(this.#parts.message, loading("Loading the timeline…"));
  }

  disconnectedCallback() {
    this.#abort.abort();
    this.#loader?.close();
    this.#renderer.stop();
  }

  /** The run changed: what the long poll of its page heard. @param {Timeline} head lanes are not looked at */
  pulse(head) {
    if (!this.#model.head || head.version === this.#model.cache.version) return;
    this.#model.hear(head);
    this.#overviewStale = true;
    this.#show();
  }

  /** @param {number | null} seq the call whose detail is open; it is brought into view */
  set selected(seq) {
    if (seq === this.#renderer.selected) return;
    this.#renderer.selected = seq;
    this.#renderer.draw();
    const { place } = this.#cursor;
    if (seq === null || (place && holds(place.bar, seq)) || !this.#model.head) return;
    void this.#attempt(async (signal) => {
      if (await this.#seeker.call(seq, signal)) this.#arrive();
    });
  }

  get selected() {
    return this.#renderer.selected;
  }

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { scroll, plot, cursor, into, out, fit: whole, follow, next } = this.#parts;
    const renderer = this.#renderer;
    scroll.addEventListener("scroll", () => this.#show(), { signal, passive: true });
    cursor.addEventListener("click", () => this.#open(this.#cursor.place), { signal });
    cursor.addEventListener("focus", () => this.#cursor.place ?? this.#move("ArrowRight"), { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    connection.addEventListener("online", () => this.#retry(), { signal });
    document.addEventListener("visibilitychange", () => renderer.draw(), { signal });
    /** @type {[HTMLElement, import("./keys.js").Command][]} */
    const buttons = [[into, "in"], [out, "out"], [whole, "fit"], [follow, "follow"], [next, "problem"]];
    for (const [button, command] of buttons) button.addEventListener("click", () => this.#do(command), { signal });
    listen(plot, {
      pan: (dx, dy) => {
        if (dy) scroll.scrollTop += dy;
        if (dx) this.#model.pan(dx);
        this.#show();
      },
      zoom: (factor, x) => this.#zoom(factor, x),
      hover: (x, y) => renderer.hover({ x, y }),
      leave: () => renderer.hover(null),
      choose: (x, y) => this.#choose(renderer.placeAt({ x, y })),
    }, signal);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isTaken(event)) return;
    const command = commandOf(event);
    if (command) this.#do(command);
    else if (isMove(event) && document.activeElement === this.#parts.cursor) this.#move(event.key);
    else return;
    event.preventDefault();
  }

  /** @param {import("./keys.js").Command} command */
  #do(command) {
    const { view, mode } = this.#model;
    const { place } = this.#cursor;
    const x = place ? xOf(view, place.bar.begin_ms) : -1;
    const about = x >= 0 && x <= view.width ? x : view.width / 2;
    if (command === "in") this.#zoom(ZOOM_STEP, about);
    else if (command === "out") this.#zoom(1 / ZOOM_STEP, about);
    else if (command === "fit") this.#setMode("fit");
    else if (command === "follow") this.#setMode(mode === "follow" ? "free" : "follow");
    else this.#nextProblem();
  }

  /** @param {import("./windows.js").Window} window @param {Timeline} answer @param {boolean} background */
  #take(window, answer, background) {
    const first = !this.#model.head;
    this.#keepPlace(() => this.#model.take(window, answer, background));
    if (background) this.#renderer.paintOverview();
    const none = answer.call_count === 0 && empty("No call yet.", "The agent has asked nothing of the world so far.");
    replace(this.#parts.message, none);
    this.#cursor.refresh();
    this.#showCounts(answer);
    this.#show();
    if (!first) return;
    const { selected } = this;
    this.#renderer.selected = null;
    this.selected = selected;
  }

  /** Lanes above that grew must not push away what one looks at. @param {() => void} change */
  #keepPlace(change) {
    const { scroll, space } = this.#parts;
    const { geometry } = this.#model;
    const lane = geometry.at(scroll.scrollTop);
    const before = geometry.top(lane);
    change();
    space.style.height = `${AXIS_HEIGHT + geometry.total + LANE_PAD}px`;
    const grown = geometry.top(lane) - before;
    if (grown && scroll.scrollTop > 0) scroll.scrollTop += grown;
  }

  /** @param {unknown} error */
  #fail(error) {
    if (isAbort(error)) return;
    // The page tells that the server is away and what is here stays in sight; it goes on when the server is back.
    if (this.#model.head && error instanceof ApiError && error.status === 0) return;
    replace(this.#parts.message, failure(error, () => this.#retry()));
  }

  #retry() {
    replace(this.#parts.message);
    if (this.#model.head) this.#show();
    else this.#begin();
  }

  #begin() {
    const rows = Math.ceil(this.#renderer.height / 32);
    const window = around(0, rows, { from: 0, to: 1, width: this.#model.view.width });
    // Where the run begins and ends is not known yet: the server takes all of it.
    this.#loader?.want({ ...window, from: NaN, to: NaN, width: Math.round(this.#model.view.width) });
  }

  /** @param {Timeline} head */
  #showCounts(head) {
    const { swatches, next, follow } = this.#parts;
    for (const [state, { item, number }] of swatches) {
      const value = head.counts[/** @type {keyof Timeline["counts"]} */ (state)];
      item.hidden = value === 0 && state !== "done";
      number.textContent = count(value);
    }
    const amount = problems(head.counts);
    next.hidden = amount === 0;
    next.textContent = `Next problem (${count(amount)})`;
    follow.hidden = !head.live;
  }

  #resize() {
    this.#renderer.resize();
    if (this.#parts.plot.clientWidth < 2) return;
    if (!this.#model.head) return this.#begin();
    this.#keepPlace(() => {});
    this.#renderer.paintOverview();
    this.#show();
  }

  /** What is visible changed: draws it, and asks for what is missing of it. */
  #show() {
    if (!this.#model.head) return;
    const { first, last } = this.#renderer.visible();
    this.#loader?.want(this.#model.cache.missing(first, last, this.#model.view));
    if (this.#overviewStale && performance.now() - this.#overviewAt > OVERVIEW_EVERY_MS) {
      this.#overviewStale = false;
      this.#overviewAt = performance.now();
      this.#loader?.later(this.#model.overview());
    }
    this.#renderer.draw();
  }

  /** @param {Place | null} place */
  #choose(place) {
    if (!place) return;
    this.#cursor.place = place;
    this.#parts.cursor.focus({ preventScroll: true });
    this.#open(place);
  }

  /** @param {Place | null} place */
  #open(place) {
    if (!place) return;
    const { bar } = place;
    if (!isMerged(bar)) {
      this.#renderer.selected = bar.seq;
      tell(this, "open-call", { seq: bar.seq });
      return this.#renderer.draw();
    }
    this.#model.reveal({ from: bar.begin_ms, to: endOf(bar, this.#model.now) }, true);
    this.#show();
  }

  /** @param {number} factor @param {number} x */
  #zoom(factor, x) {
    this.#model.zoom(factor, x);
    this.#show();
  }

  /** @param {import("./model.js").Mode} mode */
  #setMode(mode) {
    this.#model.mode = mode;
    this.#model.advance();
    this.#show();
  }

  /** @param {number} ms @param {number} share */
  #centre(ms, share) {
    const { geometry } = this.#model;
    this.#model.centre(ms);
    this.#parts.scroll.scrollTop = share * geometry.total - this.#renderer.height / 2;
    this.#show();
  }

  /** @param {string} key */
  #move(key) {
    if (this.#cursor.move(key)) this.#arrive();
  }

  /** @param {number} lane */
  #enterLane(lane) {
    const bar = this.#model.barsOfLane(lane)[0];
    if (!bar) return;
    this.#cursor.place = { lane, bar };
    this.#parts.cursor.focus({ preventScroll: true });
    this.#arrive();
  }

  /** The cursor is at another call: shows it and says it. */
  #arrive() {
    const { place } = this.#cursor;
    if (!place) return;
    const { geometry, cache, started, now } = this.#model;
    const { scroll, cursor, voice } = this.#parts;
    this.#model.reveal({ from: place.bar.begin_ms, to: endOf(place.bar, now) }, false);
    const top = geometry.top(place.lane);
    const bottom = top + geometry.height(place.lane);
    const { height } = this.#renderer;
    const above = scroll.scrollTop - top;
    const below = bottom - scroll.scrollTop - height;
    if (Math.max(above, below) > height / 2) scroll.scrollTop = top - height / 3;
    else if (above > 0) scroll.scrollTop = top - LANE_PAD;
    else if (below > 0) scroll.scrollTop = bottom - height + LANE_PAD;
    const words = spoken(place.bar, cache.lane(place.lane)?.name ?? "", started, now);
    cursor.setAttribute("aria-label", words);
    voice.textContent = words;
    this.#show();
  }

  #nextProblem() {
    void this.#attempt(async (signal) => {
      if (!(await this.#seeker.problem(signal))) {
        this.#parts.voice.textContent = "No call failed or waits";
        return;
      }
      this.#parts.cursor.focus({ preventScroll: true });
      this.#parts.scroll.scrollIntoView({ block: "nearest" });
      this.#arrive();
    });
  }

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  async #attempt(work) {
    try {
      await work(this.#abort.signal);
    } catch (error) {
      this.#fail(error);
    }
  }
}

define("run-timeline", RunTimeline);
