// The time axis: which milliseconds lie under which pixels. Pure functions over a `View`.

/** @typedef {{from: number, to: number, width: number}} View  the visible time in ms, over `width` CSS pixels */
/** @typedef {{from: number, to: number}} Span */
/** @typedef {{ms: number, x: number, label: string}} Tick */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The least time that fills the page: finer than the clock of the records shows nothing more. */
const LEAST_SPAN_MS = 20;
/** How much empty time may be seen beyond the run, as a part of what is visible. */
const MARGIN = 0.04;

const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 30, 100, 365, 1000, 3650].map((n) => n * DAY),
];

/** @param {View} view @returns {number} milliseconds under one pixel */
export const perPixel = (view) => (view.to - view.from) / Math.max(1, view.width);

/** @param {View} view @param {number} ms */
export const xOf = (view, ms) => ((ms - view.from) * view.width) / (view.to - view.from);

/** @param {View} view @param {number} x */
export const msAt = (view, x) => view.from + x * perPixel(view);

/**
 * The whole run with a margin.
 * @param {Span} run @param {number} width @returns {View}
 */
export function fit(run, width) {
  const span = Math.max(LEAST_SPAN_MS, run.to - run.from);
  return { from: run.from - span * MARGIN * 0.5, to: run.from + span * (1 + MARGIN), width };
}

/**
 * The view nearest to the given one that lies in the run.
 * @param {View} view @param {Span} run @returns {View}
 */
export function clamp(view, run) {
  const whole = fit(run, view.width);
  const span = Math.min(whole.to - whole.from, Math.max(LEAST_SPAN_MS, view.to - view.from));
  const from = Math.min(Math.max(view.from, whole.from), whole.to - span);
  return { from, to: from + span, width: view.width };
}

/**
 * Zoomed about a pixel, which keeps its time.
 * @param {View} view @param {number} factor above 1 shows less time @param {number} x @param {Span} run @returns {View}
 */
export function zoomAt(view, factor, x, run) {
  const whole = fit(run, view.width);
  const span = Math.min(whole.to - whole.from, Math.max(LEAST_SPAN_MS, (view.to - view.from) / factor));
  const from = msAt(view, x) - (x / Math.max(1, view.width)) * span;
  return clamp({ from, to: from + span, width: view.width }, run);
}

/**
 * Moved by pixels; positive shows later time.
 * @param {View} view @param {number} dx @param {Span} run @returns {View}
 */
export function panBy(view, dx, run) {
  const ms = dx * perPixel(view);
  return clamp({ from: view.from + ms, to: view.to + ms, width: view.width }, run);
}

/**
 * The view that shows a span: moved if it is in part outside, zoomed only if `zoom` says so.
 * @param {View} view @param {Span} span @param {Span} run @param {boolean} zoom @returns {View}
 */
export function reveal(view, span, run, zoom) {
  const visible = view.to - view.from;
  if (zoom) {
    const pad = Math.max(LEAST_SPAN_MS / 4, (span.to - span.from) * 0.1);
    return clamp({ from: span.from - pad, to: span.to + pad, width: view.width }, run);
  }
  const edge = visible * 0.05;
  if (span.from >= view.from + edge && Math.min(span.to, span.from + visible / 2) <= view.to - edge) return view;
  // A call that is longer than the page is seen from its beginning.
  const from = span.to - span.from > visible * 0.8 ? span.from - edge : (span.from + span.to - visible) / 2;
  return clamp({ from, to: from + visible, width: view.width }, run);
}

/**
 * Times at round distances from the start of the run.
 * @param {View} view @param {number} origin the run's start in ms @param {number} [gap] least pixels between two
 * @returns {Tick[]}
 */
export function ticks(view, origin, gap = 88) {
  const least = gap * perPixel(view);
  const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / (3650 * DAY)) * 3650 * DAY;
  const found = [];
  for (let n = Math.max(0, Math.ceil((view.from - origin) / step)); origin + n * step <= view.to; n++) {
    found.push({ ms: origin + n * step, x: xOf(view, origin + n * step), label: offsetLabel(n * step, step) });
  }
  return found;
}

/**
 * A distance from the start of the run, as exact as the steps beside it.
 * @param {number} ms @param {number} step
 */
export function offsetLabel(ms, step) {
  if (ms === 0) return "0";
  const day = Math.floor(ms / DAY);
  const days = day ? `${day} d` : "";
  if (step >= DAY) return days;
  const rest = ms - day * DAY;
  if (rest === 0) return days;
  if (ms < SECOND && step < SECOND) return `${Math.round(ms)} ms`;
  const digits = step >= SECOND ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(digits)} s`;
  return `${days} ${clock(rest, digits, step)}`.trim();
}

/** @param {number} ms less than a day @param {number} digits @param {number} step */
function clock(ms, digits, step) {
  const hours = Math.floor(ms / HOUR);
  const minutes = Math.floor((ms % HOUR) / MINUTE);
  if (hours === 0 && step >= MINUTE) return `${minutes} min`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const seconds = ((ms % MINUTE) / SECOND).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  if (hours === 0) return `${minutes}:${seconds}`;
  return step >= MINUTE ? `${hours}:${two(minutes)} h` : `${hours}:${two(minutes)}:${seconds}`;
}
