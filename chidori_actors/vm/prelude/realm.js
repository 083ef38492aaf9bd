// Last of the prelude: what an agent finds in its realm, and the two functions that the host calls.
((TypeError) => {
  "use strict";
  const { settle, useTexts, fork, take, fail, finish, chidori, starlark } = __prelude;
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  // These depend on the garbage collector, on other threads or on the engine's build.
  for (const name of ["WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics", "navigator", "performance", "gc"]) {
    delete globalThis[name];
  }

  const absent = (name, instead) => {
    throw new TypeError(`${name} is not there for agents: ${instead}`);
  };
  define("fetch", function fetch() { absent("fetch", "use chidori.http(url, options), which is recorded and replayed"); });
  define("require", function require(name) { absent(`require("${name}")`, "use `import` with a relative path; there are no npm or node modules"); });
  define("process", new Proxy({}, {
    get(_, name) {
      if (typeof name === "symbol") return undefined;
      return absent(`process.${name}`, name === "env" ? "use chidori.env(name)" : "agents have no process");
    },
  }));

  // Getters, because a global that changed would cost every VM a copy of the pages that hold the globals.
  let world; // of an agent in "typescript" or "starlark", or "sandbox"
  Object.defineProperty(globalThis, "chidori", { get: () => (world === "sandbox" ? undefined : chidori), enumerable: true });
  Object.defineProperty(globalThis, "chidori:starlark", { get: () => (world === "starlark" ? starlark : undefined) });

  const seededRandom = (state) => {
    let { 0: a, 1: b, 2: c, 3: d } = state;
    return () => {
    // sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32 bits out.
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    return (t >>> 0) / 4294967296;
    };
  };
  const hidden = (name, setting) => {
    const throwing = function () { throw new TypeError(`${name} is switched off for this run (${setting})`); };
    return new Proxy(throwing, { construct: throwing, get: throwing });
  };

  let realRandom;
  const seed = ({ random }) => {
    realRandom = random === null
      ? () => { throw new TypeError("Math.random is switched off for this run (CHIDORI_TS_RANDOM=disabled)"); }
      : seededRandom(random);
  };

  // The thunk is called where its parent stood: the same memory, and nothing else of the parent runs.
  const then = Function.prototype.call.bind(Promise.prototype.then);
  const branch = (config) => {
    seed(config);
    const thunk = fork(config.call, config.index);
    then((async () => await thunk())(), finish, fail);
  };

  const begin = (config) => {
    seed(config);
    if (config.source !== undefined) {
      world = "sandbox";
      isolate();
      then(evaluate(config), finish, fail);
      return;
    }
    world = config.values === "text" ? "starlark" : "typescript";
    if (config.values === "text") useTexts();
    if (config.date === "disabled") define("Date", hidden("Date", "CHIDORI_TS_DATE=disabled"));
    if (config.maps_sets === "reject") {
      for (const name of ["Map", "Set", "WeakMap", "WeakSet"]) define(name, hidden(name, "CHIDORI_SNAPSHOT_MAPS_SETS=reject"));
    }
    run(config).then(finish, fail);
  };
  Object.defineProperty(Math, "random", {
    value: function random() { return realRandom(); }, writable: true, configurable: true, enumerable: false,
  });

  // A sandbox: source that nobody trusts, in a VM that nobody answers.
  const isolate = () => {
    delete globalThis.process;
    const without = (name, what) => define(name, { [name]() { throw new TypeError(`${name} is not there in a sandbox, which has no ${what}`); } }[name]);
    for (const name of ["setTimeout", "setInterval", "clearTimeout", "clearInterval"]) without(name, "timers");
    without("fetch", "network");
    without("require", "modules");
  };
  // An expression or the body of a function; both stand behind three lines.
  const AsyncFunction = (async () => {}).constructor;
  const compile = (source) => {
    try {
      return AsyncFunction("input", `"use strict"; return (\n${trimmed(source)}\n)`);
    } catch {
      return AsyncFunction("input", `"use strict";\n${source}`);
    }
  };
  const trimmed = (source) => source.replace(/[\s;]+$/, "");
  const evaluate = async ({ source, input }) => await compile(source)(input);

  // The host answers imports while a VM is begun and at no other time.
  const run = async ({ entry, exported, input }) => {
    const namespace = await import(entry);
    const main = namespace[exported];
    if (typeof main !== "function") throw new TypeError(`the export \`${exported}\` of ${entry} is not a function`);
    return await main(input, chidori);
  };

  // A message is [key, 1, value], [key, 0, failure] or, before any other, [0, config] of an agent or a branch.
  const receive = (message) => {
    if (message[0] !== 0) settle(message[0], message[1], message[2]);
    else if (message[1].call !== undefined) branch(message[1]);
    else begin(message[1]);
  };

  Object.assign(__prelude, { receive, take });
})(TypeError);
