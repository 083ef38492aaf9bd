// Fetches windows of the timeline: at most one request is under way, and of the wishes only the newest is kept.

/** @typedef {import("./windows.js").Window} Window */
/** @typedef {import("../types.js").TimelineView} Timeline */
/** @typedef {{window: Window, background: boolean}} Wish */

/** @param {Window} a @param {Window} b */
const overlap = (a, b) => a.first < b.first + b.count && b.first < a.first + a.count && a.from < b.to && b.from < a.to;

export class WindowLoader {
  /** @type {Window | null} */
  #next = null;
  /** @type {Window[]} */
  #background = [];
  /** @type {(Wish & {abort: AbortController}) | null} */
  #current = null;
  #closed = false;

  /**
   * @param {(window: Window, signal: AbortSignal) => Promise<Timeline>} get
   * @param {(window: Window, answer: Timeline, background: boolean) => void} onWindow
   * @param {(error: unknown) => void} onError
   */
  constructor(get, onWindow, onError) {
    this.get = get;
    this.onWindow = onWindow;
    this.onError = onError;
  }

  /**
   * Asks for what is visible. A window that is under way is given up only when it shows nothing of the new one: whoever
   * scrolls without a pause would otherwise never see an answer.
   * @param {Window | null} window null: nothing is missing any more
   */
  want(window) {
    this.#next = window;
    if (window === null) return;
    if (this.#current === null) void this.#run();
    else if (this.#current.background || !overlap(this.#current.window, window)) this.#current.abort.abort();
  }

  /** Asks for windows that can wait until nothing visible is missing; replaces those asked for before. @param {Window[]} windows */
  later(windows) {
    this.#background = [...windows];
    if (this.#current === null) void this.#run();
  }

  close() {
    this.#closed = true;
    this.#current?.abort.abort();
  }

  async #run() {
    for (let wish = this.#take(); wish !== null; wish = this.#take()) {
      const { window, background } = wish;
      const abort = new AbortController();
      this.#current = { window, background, abort };
      try {
        const answer = await this.get(window, abort.signal);
        if (!abort.signal.aborted) this.onWindow(window, answer, background);
      } catch (error) {
        if (!abort.signal.aborted) this.onError(error);
      }
      if (abort.signal.aborted && background) this.#background.unshift(window);
      this.#current = null;
    }
  }

  /** @returns {Wish | null} */
  #take() {
    if (this.#closed) return null;
    if (this.#next !== null) {
      const window = this.#next;
      this.#next = null;
      return { window, background: false };
    }
    const window = this.#background.shift();
    return window ? { window, background: true } : null;
  }
}
