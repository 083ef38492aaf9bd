// Timers are recorded host calls, so that a race against a timeout replays.
((TypeError, Error, Number) => {
  "use strict";
  const { min, trunc } = Math;
  const { issue, withdraw, fail, forked } = __prelude;
  const { apply } = Reflect;
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  const live = new Map(); // timer id -> ordinal of its current call
  const get = live.get.bind(live);
  const set = live.set.bind(live);
  const remove = live.delete.bind(live);
  const clear = live.clear.bind(live);
  let last = 0;
  forked[forked.length] = clear; // a timer of the parent fires in the parent alone

  const milliseconds = (value) => {
    const ms = Number(value);
    return ms > 0 ? min(trunc(ms), 2 ** 31 - 1) : 0;
  };

  const schedule = (api, callback, ms, args, repeat) => {
    if (typeof callback !== "function") throw new TypeError(`${api.name}: the callback is not a function`);
    const id = ++last;
    const start = () => set(id, issue("timer", `{"ms":${milliseconds(ms)}}`, api, undefined, fired).number);
    const fired = (ok, failure) => {
      if (!ok) {
        remove(id);
        fail(new Error(failure.message));
        return;
      }
      if (repeat) start(); else remove(id);
      try {
        apply(callback, undefined, args);
      } catch (error) {
        fail(error);
      }
    };
    start();
    return id;
  };

  const cancel = (id) => {
    const number = get(id);
    if (number === undefined) return;
    remove(id);
    withdraw(number);
  };

  define("setTimeout", function setTimeout(callback, ms = 0, ...args) {
    return schedule(setTimeout, callback, ms, args, false);
  });
  define("setInterval", function setInterval(callback, ms = 0, ...args) {
    return schedule(setInterval, callback, ms, args, true);
  });
  define("clearTimeout", function clearTimeout(id) { cancel(id); });
  define("clearInterval", function clearInterval(id) { cancel(id); });

  const resolved = Promise.resolve();
  const then = resolved.then.bind(resolved);
  define("queueMicrotask", function queueMicrotask(callback) {
    if (typeof callback !== "function") throw new TypeError("queueMicrotask: the callback is not a function");
    then(() => {
      try {
        callback();
      } catch (error) {
        fail(error);
      }
    });
  });
})(TypeError, Error, Number);
