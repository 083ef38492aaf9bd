// Calling: how arguments find their parameters, and the stack that an error tells. A place is the number of an entry in
// a module's table of places, `[line, column, index of the function's name, …]` behind the path and the names.
((Promise, Error) => {
  "use strict";
  const { starlark } = __prelude;
  const { StarlarkError, fail, Function, List, Tuple, Dict, Loop, iterate, typeOf } = starlark;
  const { apply } = Reflect;

  const MAX_FRAMES = 50;
  const placeText = (places, place) => {
    const at = place * 3;
    return `    at ${places.names[places.table[at + 2]]} (${places.path}:${places.table[at]}:${places.table[at + 1]})`;
  };

  // Where the engine has no room it fails in its own words.
  const NO_ROOM = {
    __proto__: null, "BigInt is too large to allocate": "The int is too large: it has more than 1048575 bits",
    "string too long": "The string is too long",
  };
  const stacks = new WeakMap(); // error -> how many frames it has
  // Adds the frame of a function that `error` leaves; gives the error to throw on.
  const trace = (error, places, place) => {
    if (!(error instanceof Error)) return error;
    if (error.message in NO_ROOM && !(error instanceof StarlarkError)) error = new StarlarkError(NO_ROOM[error.message]);
    const frames = stacks.get(error) ?? 0;
    if (frames === MAX_FRAMES) return error;
    const at = place + (error.offset ?? 0);
    error.offset = undefined;
    stacks.set(error, frames + 1);
    const frame = placeText(places, at);
    Object.defineProperty(error, "stack", { value: frames === 0 ? frame : `${error.stack}\n${frame}`, writable: true, configurable: true });
    return error;
  };

  // Nothing but this ends a recursion without end: the engine does not look at its stack. In units of 100 bytes.
  const depth = { now: 0, most: 15000 };
  const tooDeep = () => fail("Starlark call stack overflow");

  // ---- Parameters. `kinds` has a letter for each: positional only `p`, either `e`, named only `n`, with a default the
  // same in upper case; `*` and `k` take what is left over.

  const KINDS = { __proto__: null, p: "positional-only parameter", e: "parameter", n: "named-only parameter" };
  const missing = (spec, bound) => {
    for (let i = 0; i < bound.length; i++) {
      const kind = spec.kinds[i];
      if (bound[i] === undefined && kind in KINDS) fail(`Missing ${KINDS[kind]} \`${spec.params[i]}\` for call to \`${spec.name}\``);
    }
  };
  const bindNamed = (spec, bound, names, values) => {
    const extra = [];
    const rest = new Dict();
    for (let i = 0; i < names.length; i++) {
      const at = spec.byName.get(names[i]);
      if (at !== undefined) {
        if (bound[at] !== undefined) fail(`Argument \`${names[i]}\` occurs more than once`);
        bound[at] = values[i];
      } else if (rest.has(names[i])) {
        fail(`Argument \`${names[i]}\` occurs more than once`);
      } else {
        rest.set(names[i], values[i]);
        extra.push(`\`${names[i]}\``);
      }
    }
    return { rest, extra };
  };
  const bindArgs = (spec, args, names, values) => {
    const { kinds, positional } = spec;
    if (spec.simple && names === null && args.length === kinds.length) return args;
    const bound = new Array(kinds.length).fill(undefined);
    for (let i = 0; i < args.length && i < positional; i++) bound[i] = args[i];
    const { rest, extra } = names === null ? { rest: undefined, extra: [] } : bindNamed(spec, bound, names, values);
    if (spec.star >= 0) bound[spec.star] = new Tuple(args.slice(positional));
    if (spec.rest >= 0) bound[spec.rest] = rest ?? new Dict();
    missing(spec, bound);
    if (args.length > positional && spec.star < 0) fail(`Found ${args.length - positional} extra positional argument(s) for call to ${spec.name}`);
    if (extra.length > 0 && spec.rest < 0) fail(`Found ${extra.join(" ")} extra named parameter(s) for call to ${spec.name}${spec.takes ?? ""}`);
    return bound;
  };

  const specOf = (name, params, kinds) => {
    const byName = new Map();
    for (let i = 0; i < kinds.length; i++) if ("eEnN".includes(kinds[i])) byName.set(params[i], i);
    const positional = kinds.search(/[nN*k]/);
    return {
      name, params, kinds, byName, star: kinds.indexOf("*"), rest: kinds.indexOf("k"),
      positional: positional < 0 ? kinds.length : positional, simple: /^[pPeE]*$/.test(kinds),
    };
  };

  // The value of a `def` or `lambda`: `implementation` takes bound arguments; undefined stands for a default.
  const define = (spec, implementation, captured) => {
    const made = new Function(spec.name, (args, names, values) => apply(implementation, undefined, bindArgs(spec, args, names, values)));
    made.spec = spec;
    made.implementation = implementation;
    made.captured = captured;
    return made;
  };

  // ---- Calls: the result, or a promise of it.

  const call = (callee, args, names, values, places, place) => {
    if (!(callee instanceof Function)) fail(`Operation \`call()\` not supported on type \`${typeOf(callee)}\``);
    const { spec } = callee;
    // Most calls are of functions without special parameters, with all arguments in their order.
    if (spec !== undefined && names === null && spec.simple && args.length === spec.kinds.length && args.length <= 2) {
      return callee.implementation(args[0], args[1]);
    }
    return callee.call(args, names, values, places, place);
  };

  const spreadArgs = (args, star) => {
    if (star === undefined) return args;
    const iterable = star instanceof List || star instanceof Tuple || star instanceof Dict || typeOf(star) === "range";
    if (!iterable) fail("The argument provided for *args is not iterable");
    return [...args, ...iterate(star)];
  };
  // A call with `*star` or `**rest`; either may be undefined.
  const callWith = (callee, args, names, values, star, rest, places, place) => {
    if (rest !== undefined && !(rest instanceof Dict)) fail("The argument provided for **kwargs is not a dictionary");
    const all = rest === undefined ? names : [...(names ?? []), ...rest.items];
    for (const name of all ?? []) if (typeof name !== "string") fail("The argument provided for *args is not an identifier");
    for (const name of rest === undefined ? [] : names ?? []) if (rest.has(name)) fail(`Argument \`${name}\` occurs more than once`);
    const given = rest === undefined ? values : [...(values ?? []), ...rest.values];
    return call(callee, spreadArgs(args, star), all, given, places, place);
  };

  // Calls `callee` with each item of `value` in turn and gives `then` all results; a promise when a call is one. As
  // during a loop, `value` cannot be changed meanwhile.
  const callEach = (callee, value, places, place, then) => {
    const loop = new Loop(value);
    const items = iterate(value);
    const results = [];
    let waits = false;
    try {
      for (let i = 0; i < items.length; i++) {
        const result = call(callee, [items[i]], null, null, places, place);
        waits = result instanceof Promise;
        if (waits) return callRest(callee, loop, items, results, result, places, place, then);
        results[i] = result;
      }
    } finally {
      if (!waits) loop.end();
    }
    return then(results);
  };
  const callRest = async (callee, loop, items, results, first, places, place, then) => {
    try {
      results.push(await first);
      for (let i = results.length; i < items.length; i++) results[i] = await call(callee, [items[i]], null, null, places, place);
    } finally {
      loop.end();
    }
    return then(results);
  };

  const unassigned = (name) => fail(`Local variable \`${name}\` referenced before assignment`);

  Object.assign(starlark, { trace, placeText, depth, tooDeep, specOf, bindArgs, define, call, callWith, callEach, unassigned, Promise });
})(Promise, Error);
