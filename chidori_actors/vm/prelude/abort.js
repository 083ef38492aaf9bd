// AbortController and AbortSignal of the DOM standard.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { apply, setAdd, setDelete, setForEach } = prelude.primordials;
  const { DOMException, Event, EventTarget, Set } = globalThis;
  const { dispatchEvent, addEventListener, removeEventListener } = EventTarget.prototype;

  const constructionKey = Symbol("AbortSignal construction");
  // Set by the static block below: how AbortController and listeners reach a signal's private state.
  let internals;

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    #algorithms = new Set();
    #dependents = new Set();
    #isDependent = false;
    #sources = new Set();
    #onabort = null;

    constructor(key = undefined) {
      if (key !== constructionKey) throw new TypeError("AbortSignal: make one with an AbortController");
      super();
    }
    static {
      internals = {
        addAlgorithm(signal, algorithm) {
          if (!signal.#aborted) setAdd(signal.#algorithms, algorithm);
        },
        removeAlgorithm: (signal, algorithm) => setDelete(signal.#algorithms, algorithm),
        abort(signal, reason) {
          if (signal.#aborted) return;
          signal.#markAborted(reason);
          // All dependents are marked before the first listener runs, so that no listener sees half of it.
          const marked = [];
          setForEach(signal.#dependents, (dependent) => {
            if (dependent.#aborted) return;
            dependent.#markAborted(signal.#reason);
            marked[marked.length] = dependent;
          });
          signal.#notify();
          for (let i = 0; i < marked.length; i++) marked[i].#notify();
        },
        follow(signal, source) {
          if (!source.#isDependent) {
            setAdd(signal.#sources, source);
            setAdd(source.#dependents, signal);
            return;
          }
          setForEach(source.#sources, (root) => {
            setAdd(signal.#sources, root);
            setAdd(root.#dependents, signal);
          });
        },
        markDependent: (signal) => (signal.#isDependent = true),
      };
    }
    #markAborted(reason) {
      this.#aborted = true;
      this.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
      setForEach(this.#sources, (source) => setDelete(source.#dependents, this));
    }
    #notify() {
      const algorithms = this.#algorithms;
      this.#algorithms = new Set();
      setForEach(algorithms, (algorithm) => algorithm());
      apply(dispatchEvent, this, [new Event("abort")]);
    }
    get aborted() {
      return this.#aborted;
    }
    get reason() {
      return this.#reason;
    }
    get onabort() {
      return this.#onabort;
    }
    set onabort(handler) {
      if (this.#onabort !== null) apply(removeEventListener, this, ["abort", this.#onabort]);
      this.#onabort = typeof handler === "function" ? handler : null;
      if (this.#onabort !== null) apply(addEventListener, this, ["abort", this.#onabort]);
    }
    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }
    static abort(reason = undefined) {
      const signal = new AbortSignal(constructionKey);
      internals.abort(signal, reason);
      return signal;
    }
    static any(signals) {
      const result = new AbortSignal(constructionKey);
      internals.markDependent(result);
      const sources = [];
      for (const source of signals) {
        if (!(source instanceof AbortSignal)) throw new TypeError("AbortSignal.any: every item must be an AbortSignal");
        sources[sources.length] = source;
      }
      for (let i = 0; i < sources.length; i++) {
        if (!sources[i].aborted) continue;
        internals.abort(result, sources[i].reason);
        return result;
      }
      for (let i = 0; i < sources.length; i++) internals.follow(result, sources[i]);
      return result;
    }
    static timeout(milliseconds) {
      const delay = Number(milliseconds);
      if (!(delay >= 0 && delay <= Number.MAX_SAFE_INTEGER)) {
        throw new TypeError(`AbortSignal.timeout: milliseconds must be between 0 and 2**53 - 1, not ${milliseconds}`);
      }
      const signal = new AbortSignal(constructionKey);
      const expire = () =>
        internals.abort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError"));
      // Timers are host calls, defined by a later prelude file.
      globalThis.setTimeout(expire, delay);
      return signal;
    }
  }

  class AbortController {
    #signal = new AbortSignal(constructionKey);

    get signal() {
      return this.#signal;
    }
    abort(reason = undefined) {
      internals.abort(this.#signal, reason);
    }
  }

  for (const Class of [AbortSignal, AbortController]) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
    prelude.define(Class.name, Class);
  }
  prelude.AbortSignal = AbortSignal;
  // Runs before the listeners of the event, once; for host calls that a signal cancels.
  prelude.addAbortAlgorithm = internals.addAlgorithm;
  prelude.removeAbortAlgorithm = internals.removeAlgorithm;
})();
