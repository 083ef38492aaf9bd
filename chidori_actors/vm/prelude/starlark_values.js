// Starlark's values in JavaScript. None, bools and strings are JavaScript's own; an int is a number while that is exact
// and a BigInt beyond; everything else is an instance of a class below.
// A VM that runs Starlark runs no JavaScript of an agent, so methods of built-ins are used as they are.
((Error, Map, BigInt, Number) => {
  "use strict";
  const { isSafeInteger, isInteger } = Number;
  const { isArray } = Array;

  class StarlarkError extends Error {}
  Object.defineProperty(StarlarkError.prototype, "name", { value: "StarlarkError" });
  const fail = (message) => { throw new StarlarkError(message); };

  class Float {
    constructor(value) { this.value = value; }
  }
  class List {
    constructor(items) {
      this.items = items;
      this.loops = 0; // how many loops are running over it
      this.frozen = false;
    }
  }
  class Tuple {
    constructor(items) { this.items = items; }
  }
  class Range {
    constructor(start, stop, step) {
      this.start = start;
      this.stop = stop;
      this.step = step;
      const length = Math.ceil((stop - start) / step);
      this.length = length > 0 ? length : 0;
    }
    at(index) { return this.start + index * this.step; }
    get items() {
      const items = [];
      for (let i = 0; i < this.length; i++) items[i] = this.at(i);
      return items;
    }
  }
  // What "ab".elems() gives: it can be looped over, and nothing else.
  class Iterator {
    constructor(items) { this.items = items; }
  }

  // Values are found by a key that Map compares as Starlark compares values; `originals` has the values that are not
  // their own keys.
  class Dict {
    constructor() {
      this.map = new Map();
      this.originals = undefined;
      this.loops = 0;
      this.frozen = false;
    }
    get size() { return this.map.size; }
    has(value) { return this.map.has(keyOf(value)); }
    get(value) { return this.map.get(keyOf(value)); }
    set(value, item) {
      const key = keyOf(value);
      if (key !== value && !this.map.has(key)) {
        this.originals ??= new Map();
        this.originals.set(key, value);
      }
      this.map.set(key, item);
    }
    delete(value) {
      const key = keyOf(value);
      this.originals?.delete(key);
      return this.map.delete(key);
    }
    clear() {
      this.map.clear();
      this.originals = undefined;
    }
    get items() {
      const keys = [...this.map.keys()];
      const originals = this.originals;
      if (originals === undefined || originals.size === 0) return keys;
      for (let i = 0; i < keys.length; i++) if (originals.has(keys[i])) keys[i] = originals.get(keys[i]);
      return keys;
    }
    get values() { return [...this.map.values()]; }
  }

  // A function: `call(args, names, values, place)` with positional arguments, and the named ones in two arrays.
  class Function {
    constructor(name, call) {
      this.name = name;
      this.call = call;
      this.spec = undefined;
      this.implementation = undefined;
      this.captured = undefined; // of one made by `def` or `lambda`: gives the values that freeze with it
    }
  }

  const TYPES = [[Float, "float"], [List, "list"], [Tuple, "tuple"], [Dict, "dict"], [Range, "range"], [Function, "function"], [Iterator, "iterator"]];
  for (let i = 0; i < TYPES.length; i++) TYPES[i][0].prototype.type = TYPES[i][1];

  const typeOf = (value) => {
    switch (typeof value) {
      case "number": case "bigint": return "int";
      case "string": return "string";
      case "boolean": return "bool";
      default: return value === null ? "NoneType" : value.type;
    }
  };

  const isInt = (value) => typeof value === "number" || typeof value === "bigint";
  // The int of a BigInt: always the same representation for the same int.
  const toInt = (big) => {
    const number = Number(big);
    return isSafeInteger(number) ? number : big;
  };

  const truth = (value) => {
    switch (typeof value) {
      case "boolean": return value;
      case "number": return value !== 0;
      case "string": return value !== "";
      case "bigint": return true;
    }
    if (value === null) return false;
    if (value instanceof Float) return value.value !== 0;
    if (value instanceof Dict) return value.map.size !== 0;
    if (value instanceof List || value instanceof Tuple) return value.items.length !== 0;
    return value instanceof Range ? value.length !== 0 : true;
  };

  // 1 and 1.0 are the same key.
  const floatKey = (value) => (isSafeInteger(value) ? value + 0 : isInteger(value) ? BigInt(value) : value);

  const functionNumbers = new WeakMap();
  let functions = 0;
  // A text that two values share exactly when they are equal keys.
  const keyText = (value) => {
    const key = keyOf(value);
    switch (typeof key) {
      case "string": return `${key.length}:${key}`;
      case "object": break;
      default: return `${key};`;
    }
    if (key === null) return "None;";
    if (!functionNumbers.has(key)) functionNumbers.set(key, ++functions);
    return `#${functionNumbers.get(key)};`;
  };

  const keyOf = (value) => {
    switch (typeof value) {
      case "string": return value < "\x01" && value !== "" ? "\0s" + value : value;
      case "object": break;
      default: return value;
    }
    if (value === null || value instanceof Function) return value;
    if (value instanceof Float) return floatKey(value.value);
    if (value instanceof Tuple) {
      let text = "\0t";
      for (let i = 0; i < value.items.length; i++) text += keyText(value.items[i]);
      return text;
    }
    return fail(`Value of type \`${typeOf(value)}\` is not hashable`);
  };

  // The list or dict itself, when it can be changed.
  const mutable = (container) => {
    if (container.frozen) fail("Immutable");
    if (container.loops > 0) fail("This operation mutates an iterable for an iterator while iterating.");
    return container;
  };

  // An int that an index can be: the reference's are of 32 bits.
  const small = (value) => {
    if (typeof value === "bigint" || value > 0x7fffffff || value < -0x80000000) fail(`Integer value is too big to fit in i32: ${value}`);
  };

  // What iterating gives, as an array that must not be changed.
  const iterate = (value) => {
    if (value !== null && typeof value === "object" && !(value instanceof Function) && !(value instanceof Float)) return value.items;
    return fail(`Operation \`(iter)\` not supported on type \`${typeOf(value)}\``);
  };

  // What a loop runs over: `items`, or where that is undefined `length` ints. `end` must be called whatever happens.
  class Loop {
    constructor(value) {
      const range = value instanceof Range;
      this.items = range ? undefined : iterate(value);
      this.length = range ? value.length : this.items.length;
      this.start = range ? value.start : 0;
      this.step = range ? value.step : 0;
      this.value = value;
      if (value instanceof List || value instanceof Dict) value.loops++;
    }
    end() {
      if (this.value.loops > 0) this.value.loops--;
    }
  }

  // Nothing that can be reached from `values` can be changed from now on.
  const freeze = (values) => {
    const todo = [...values];
    const seen = new Set();
    while (todo.length > 0) {
      const value = todo.pop();
      if (value === null || typeof value !== "object" || seen.has(value)) continue;
      seen.add(value);
      if (value instanceof Function) {
        if (value.captured !== undefined) todo.push(...value.captured());
      } else if (value instanceof Tuple) {
        todo.push(...value.items);
      } else if (value instanceof List || value instanceof Dict) {
        if (value.frozen) continue;
        value.frozen = true;
        todo.push(...value.items);
        if (value instanceof Dict) todo.push(...value.values);
      }
    }
  };

  __prelude.starlark = {
    __proto__: null, StarlarkError, fail, Float, List, Tuple, Range, Iterator, Dict, Function, Loop, typeOf, isInt, toInt, truth, keyOf,
    mutable, small, iterate, freeze, isArray,
  };
})(Error, Map, BigInt, Number);
