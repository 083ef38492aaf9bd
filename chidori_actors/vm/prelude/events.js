// Event and EventTarget of the DOM standard, without a tree: events neither capture nor bubble.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { apply, arraySlice, arraySplice } = prelude.primordials;

  // Set by the static block below: how EventTarget drives an event's private state.
  let internals;

  class Event {
    #type;
    #bubbles;
    #cancelable;
    #composed;
    #target = null;
    #currentTarget = null;
    #dispatching = false;
    #stopped = false;
    #canceled = false;
    #inPassiveListener = false;

    constructor(type, options = undefined) {
      if (arguments.length === 0) throw new TypeError("Event: 1 argument required");
      this.#type = `${type}`;
      this.#bubbles = Boolean(options?.bubbles);
      this.#cancelable = Boolean(options?.cancelable);
      this.#composed = Boolean(options?.composed);
    }
    static {
      internals = {
        begin(event, target) {
          if (event.#dispatching) {
            throw new DOMException("dispatchEvent: the event is already being dispatched", "InvalidStateError");
          }
          event.#dispatching = true;
          event.#target = target;
          event.#currentTarget = target;
        },
        end(event) {
          event.#dispatching = false;
          event.#currentTarget = null;
          event.#stopped = false;
        },
        isStopped: (event) => event.#stopped,
        setPassive: (event, passive) => (event.#inPassiveListener = passive),
      };
    }
    get type() {
      return this.#type;
    }
    get target() {
      return this.#target;
    }
    get srcElement() {
      return this.#target;
    }
    get currentTarget() {
      return this.#currentTarget;
    }
    get eventPhase() {
      return this.#dispatching ? 2 : 0;
    }
    get bubbles() {
      return this.#bubbles;
    }
    get cancelable() {
      return this.#cancelable;
    }
    get composed() {
      return this.#composed;
    }
    get defaultPrevented() {
      return this.#canceled;
    }
    get isTrusted() {
      return false;
    }
    // A run has no clock of its own: time moves only with recorded results.
    get timeStamp() {
      return 0;
    }
    composedPath() {
      return this.#dispatching ? [this.#target] : [];
    }
    preventDefault() {
      if (this.#cancelable && !this.#inPassiveListener) this.#canceled = true;
    }
    stopPropagation() {}
    stopImmediatePropagation() {
      this.#stopped = true;
    }
  }

  const callListener = (listener, event, target) => {
    try {
      if (typeof listener === "function") apply(listener, target, [event]);
      else listener.handleEvent(event);
    } catch (error) {
      // As in the standard, a failing listener is reported and does not disturb the others.
      prelude.reportException(error);
    }
  };

  class EventTarget {
    #listeners = [];

    #indexOf(type, callback, capture) {
      for (let i = 0; i < this.#listeners.length; i++) {
        const entry = this.#listeners[i];
        if (entry.type === type && entry.callback === callback && entry.capture === capture) return i;
      }
      return -1;
    }
    addEventListener(type, callback, options = undefined) {
      if (arguments.length < 2) throw new TypeError("addEventListener: 2 arguments required");
      const settings = typeof options === "boolean" ? { capture: options } : options;
      const { signal } = settings ?? {};
      if (signal !== undefined && !(signal instanceof prelude.AbortSignal)) {
        throw new TypeError("addEventListener: signal must be an AbortSignal");
      }
      if (callback === null || callback === undefined || signal?.aborted) return;
      if (typeof callback !== "function" && typeof callback !== "object") {
        throw new TypeError("addEventListener: the listener must be a function or an object with handleEvent");
      }
      const name = `${type}`;
      const capture = Boolean(settings?.capture);
      if (this.#indexOf(name, callback, capture) !== -1) return;
      this.#listeners[this.#listeners.length] = {
        type: name,
        callback,
        capture,
        once: Boolean(settings?.once),
        passive: Boolean(settings?.passive),
        removed: false,
      };
      if (signal !== undefined) {
        prelude.addAbortAlgorithm(signal, () => this.#remove(this.#indexOf(name, callback, capture)));
      }
    }
    #remove(index) {
      if (index === -1) return;
      this.#listeners[index].removed = true;
      arraySplice(this.#listeners, index, 1);
    }
    removeEventListener(type, callback, options = undefined) {
      const capture = typeof options === "boolean" ? options : Boolean(options?.capture);
      this.#remove(this.#indexOf(`${type}`, callback, capture));
    }
    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError("dispatchEvent: the argument must be an Event");
      internals.begin(event, this);
      const listeners = arraySlice(this.#listeners);
      for (let i = 0; i < listeners.length && !internals.isStopped(event); i++) {
        const entry = listeners[i];
        if (entry.type !== event.type || entry.removed) continue;
        if (entry.once) this.#remove(this.#indexOf(entry.type, entry.callback, entry.capture));
        internals.setPassive(event, entry.passive);
        callListener(entry.callback, event, this);
        internals.setPassive(event, false);
      }
      internals.end(event);
      return !event.defaultPrevented;
    }
  }

  for (const Class of [Event, EventTarget]) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
    prelude.define(Class.name, Class);
  }
})();
