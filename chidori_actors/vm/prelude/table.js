// The VM's side of the host-promise table: calls go out as lines of text, settlements come in as messages. No host code
// runs while JavaScript runs, so whenever the job queue is empty the VM is at a safepoint.
((Error, RangeError) => {
  "use strict";
  const { toJson, inspect, addAbortAlgorithm, removeAbortAlgorithm } = __prelude;
  const { defineProperty, getOwnPropertyNames, getPrototypeOf, hasOwn } = Object;
  const { captureStackTrace } = Error;
  const { parse } = JSON;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const indexOf = uncurry(String.prototype.indexOf);
  const slice = uncurry(String.prototype.slice);
  const toWellFormed = uncurry(String.prototype.toWellFormed);
  const HostPromise = Promise;

  // An agent's `Error.prepareStackTrace` is given the frames of the prelude that are below its own. With their functions
  // it could settle calls itself.
  Error.prepareStackTrace = (error, sites) => sites;
  delete getPrototypeOf(new Error().stack[0]).getFunction;
  Error.prepareStackTrace = undefined;

  const bound = (map, ...names) => {
    const methods = { __proto__: null };
    for (let i = 0; i < names.length; i++) methods[names[i]] = map[names[i]].bind(map);
    return methods;
  };

  // A call's key is its ordinal; in a branch, a call of its parent has a negative key (`inherited`).
  const waiting = bound(new Map(), "get", "set", "delete", "clear", "forEach"); // key -> {resolve, reject, stack, …}
  const origin = bound(new WeakMap(), "get", "set"); // an error that a call failed with -> {call, depth, failure}
  let said = "";
  let ordinal = 0;
  let delivered = 0;
  let finished = false;
  let depth = 0; // how often this memory was forked

  // What an agent may have under way, and begin in answer to one settlement: each costs the host 10 KB and 0.2 ms.
  const MOST_CALLS = 10_000;
  let open = 0; // as many as are waiting
  let begun = 0; // since the last settlement
  let refusal;
  const say = (line) => { said = said === "" ? line : said + "\n" + line; };

  // The agent's frames above `api`, the prelude function that it called. A few: each costs time at every call.
  const agentFrames = 4;
  const agentStack = (api) => {
    const holder = {};
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = agentFrames;
    captureStackTrace(holder, api);
    Error.stackTraceLimit = limit;
    const { stack } = holder;
    return typeof stack === "string" ? stack : "";
  };

  // The first line of a stack, which the host reads when it needs the place. A function can be named by any string.
  const siteOf = (stack) => {
    const end = indexOf(stack, "\n");
    return toWellFormed(end < 0 ? stack : slice(stack, 0, end));
  };

  // What the host sent, whatever an agent put into Object.prototype.
  const own = (object, name) => (hasOwn(object, name) ? object[name] : undefined);
  const put = (object, name, value, enumerable) =>
    defineProperty(object, name, { __proto__: null, value, writable: true, configurable: true, enumerable });

  // Errors of the host look as if thrown where the agent made the call.
  const hostError = (entry, number, failure) => {
    const error = new Error(own(failure, "message"));
    const name = own(failure, "name");
    if (name !== undefined && name !== "Error") put(error, "name", name, false);
    const data = own(failure, "data");
    if (data !== undefined && data !== null) {
      const names = getOwnPropertyNames(data);
      for (let i = 0; i < names.length; i++) {
        if (names[i] !== "message" && names[i] !== "stack" && names[i] !== "name") put(error, names[i], data[names[i]], true);
      }
    }
    put(error, "stack", entry.stack, false);
    origin.set(error, { call: number, depth, failure });
    return error;
  };

  const never = new HostPromise(() => {});

  // Starts a host call that the agent made through the function `api`. `onSettle`, when given, is told `(ok, value)`
  // instead of a promise being made. `more`: `stack`, when the agent's frames are gone; `convert`, what the agent gets
  // for a value; `thunks` of a fork.
  const issue = (name, argsJson, api, signal, onSettle, given) => {
    if (finished) return { number: 0, promise: never };
    const more = given && { __proto__: null, ...given };
    // The agent's code may run in here, and make calls.
    const stack = more?.stack ?? agentStack(api);
    if (open >= MOST_CALLS || begun >= MOST_CALLS) refuse(name);
    open++;
    begun++;
    const number = ++ordinal;
    const entry = { resolve: undefined, reject: undefined, stack, onSettle, signal, onAbort: undefined, more };
    const promise = onSettle ? undefined : new HostPromise((resolve, reject) => {
      entry.resolve = resolve;
      entry.reject = reject;
    });
    waiting.set(number, entry);
    say(`call\t${number}\t${delivered}\t${name}\t${argsJson}\t${siteOf(stack)}`);
    if (signal) watch(entry, number);
    return { number, promise };
  };

  const refuse = (name) => {
    const what = open < MOST_CALLS ? `made ${begun} host calls without waiting for one` : `waits for ${open} host calls`;
    refusal = new RangeError(`${name}: the agent ${what} and may not make more; await some of them first, or make them in batches`);
    throw refusal;
  };
  const isRefusal = (error) => error === refusal;

  const watch = (entry, key) => {
    entry.onAbort = () => withdraw(key, entry.signal.reason);
    addAbortAlgorithm(entry.signal, entry.onAbort);
  };

  // The agent gives up on a call: the host cancels it, a later settlement is ignored. A branch can only stop to wait for
  // a call of its parent.
  const withdraw = (key, reason) => {
    const entry = waiting.get(key);
    if (entry === undefined) return;
    waiting.delete(key);
    open--;
    if (!finished && key > 0) say(`abort\t${key}`);
    if (entry.reject) entry.reject(reason);
  };

  const call = (name, args, api, signal, more) => {
    if (signal?.aborted) throw signal.reason;
    return issue(name, toJson(args, name), api, signal, undefined, more).promise;
  };

  // In a VM that was begun with `values: "text"` a result comes as a string of JSON text; a call made with `more.text` gets
  // the text itself.
  let texts = false;
  const useTexts = () => { texts = true; };
  const received = (entry, value) => (texts && !entry.more?.text ? parse(value) : value);

  const settle = (number, ok, given) => {
    delivered++;
    begun = 0;
    const entry = waiting.get(number);
    if (entry === undefined || finished) return;
    waiting.delete(number);
    open--;
    const value = ok ? received(entry, given) : given;
    // One signal can be that of thousands of calls.
    if (entry.signal) removeAbortAlgorithm(entry.signal, entry.onAbort);
    if (entry.onSettle) entry.onSettle(ok, value);
    else if (ok) entry.resolve(entry.more?.convert ? entry.more.convert(value, (failure) => hostError(entry, number, failure)) : value);
    else entry.reject(hostError(entry, number, value));
  };

  // Turns this VM, restored from its parent's memory, into branch `index` of the parent's call `number`. What the parent
  // waits for can settle here too, under a key that is out of the way of the branch's own calls.
  const LEVEL = 2 ** 40;
  const forked = []; // told when this VM becomes a branch
  let kept; // not freed, so that a branch does not copy the memory of all the other thunks only to free them
  const fork = (number, index) => {
    kept = { kept, entry: waiting.get(number) };
    const thunk = kept.entry.more.thunks[index];
    const inherited = [];
    waiting.forEach((entry, key) => {
      if (entry.signal) removeAbortAlgorithm(entry.signal, entry.onAbort);
      if (key !== number && entry.resolve) inherited[inherited.length] = { key: key > 0 ? -key : key - LEVEL, entry };
    });
    waiting.clear();
    open = inherited.length;
    for (let i = 0; i < inherited.length; i++) {
      const { key, entry } = inherited[i];
      if (entry.signal) watch(entry, key);
      waiting.set(key, entry);
    }
    depth++;
    ordinal = 0;
    delivered = 0;
    begun = 0;
    said = "";
    for (let i = 0; i < forked.length; i++) forked[i]();
    return thunk;
  };

  const originOf = (error) => {
    for (let causes = 0; causes < 16 && error !== null && typeof error === "object"; causes++) {
      const found = origin.get(error);
      if (found !== undefined) return found;
      error = error.cause ?? error.errors?.[0];
    }
    return undefined;
  };

  const text = (value) => (typeof value === "string" ? value : `${value}`);

  const describe = (error) => {
    if (error instanceof Error) {
      const found = originOf(error);
      const { stack } = error;
      return {
        name: text(error.name),
        message: text(error.message),
        stack: typeof stack === "string" ? stack : "",
        // What failed before the fork was another actor's call.
        call: found === undefined || found.depth !== depth ? null : found.call,
        data: found === undefined ? null : own(found.failure, "data") ?? null,
        inner: found === undefined ? null : own(found.failure, "inner") ?? null,
      };
    }
    return { name: "Error", message: `the agent threw ${inspect(error)}, not an Error`, stack: "", call: null };
  };

  const fail = (error) => {
    if (finished) return;
    let description;
    try {
      description = toJson(describe(error), "error");
    } catch {
      description = '{"name":"Error","message":"the agent threw an error that cannot be described","stack":"","call":null}';
    }
    if (finished) return; // the agent's code runs while its error or its value is looked at
    finished = true;
    say(`fail\t${description}`);
  };

  const finish = (value) => {
    if (finished) return;
    let output;
    try {
      output = toJson(value, "result");
    } catch (error) {
      fail(error);
      return;
    }
    if (finished) return;
    finished = true;
    say(`done\t${output}`);
  };

  const take = () => {
    const out = said;
    said = "";
    return out;
  };

  __prelude.setConsoleSink((level, message) => say(`log\t${level}\t${toJson(message, "message")}`));
  __prelude.reportException = fail;
  Object.assign(__prelude, { issue, withdraw, call, isRefusal, agentStack, settle, useTexts, fork, forked, fail, finish, take });
})(Error, RangeError);
