// What crosses the VM's boundary is JSON. `toJson(value, label)` gives the text or throws a TypeError that names the
// path of what JSON cannot carry, instead of dropping or bending it as JSON.stringify does.
((TypeError) => {
  "use strict";
  const { stringify } = JSON;
  const { isArray } = Array;
  const { keys, getPrototypeOf, prototype: objectPrototype } = Object;
  const arrayPrototype = Array.prototype;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const toWellFormed = uncurry(String.prototype.toWellFormed);
  const includes = uncurry(String.prototype.includes);
  const test = uncurry(RegExp.prototype.test);
  const join = uncurry(Array.prototype.join);
  const identifier = /^[A-Za-z_$][\w$]*$/;
  const vowel = /^[AEIO]/;
  const maxDepth = 200; // what carries the value adds a few; the host's JSON writer stops at 254

  const step = (key) => (typeof key === "number" ? `[${key}]` : test(identifier, key) ? `.${key}` : `[${stringify(key)}]`);

  class Refused {
    constructor(what) {
      this.what = what;
      this.path = "";
    }
  }

  // JSON that is text already: what Starlark's runtime gives. It may be a part of a value.
  class RawJson {
    constructor(text) { this.text = text; }
  }
  let hasRaw = false; // whether the value that was verified last has such a part

  const describeObject = (value) => {
    const name = value.constructor?.name;
    if (typeof name !== "string" || name === "") return "an object with a prototype of its own";
    return `${test(vowel, name) ? "an" : "a"} ${name}`;
  };

  const refuse = (value) => {
    switch (typeof value) {
      case "function": return new Refused("a function");
      case "symbol": return new Refused("a symbol");
      case "bigint": return new Refused("a BigInt");
      case "number": return new Refused(`${value}`);
      default: return new Refused(describeObject(value));
    }
  };

  // Throws a Refused, its path completed while the recursion unwinds. `above` holds the containers on the way here.
  const verify = (value, above, depth) => {
    switch (typeof value) {
      case "string": case "boolean": case "undefined": return;
      case "number":
        if (value - value !== 0) throw refuse(value);
        return;
      case "object": break;
      default: throw refuse(value);
    }
    if (value === null) return;
    if (value instanceof RawJson) {
      hasRaw = true;
      return;
    }
    for (let i = 0; i < depth; i++) if (above[i] === value) throw new Refused("part of a cycle");
    if (depth >= maxDepth) throw new Refused(`nested more than ${maxDepth} deep`);
    above[depth] = value;
    let at;
    try {
      if (isArray(value)) {
        for (at = 0; at < value.length; at++) verify(value[at], above, depth + 1);
      } else {
        const proto = getPrototypeOf(value);
        if (proto !== objectPrototype && proto !== null) throw refuse(value);
        const names = keys(value);
        for (let i = 0; i < names.length; i++) {
          at = names[i];
          if (at === "toJSON" && typeof value[at] === "function") throw new Refused("a function");
          verify(value[at], above, depth + 1);
        }
        at = undefined;
      }
    } catch (refused) {
      if (refused instanceof Refused && at !== undefined) refused.path = step(at) + refused.path;
      throw refused;
    }
  };

  // Half a surrogate pair (text cut in the middle of an emoji) becomes U+FFFD, in keys too.
  const wellFormed = (value) => {
    if (typeof value === "string") return toWellFormed(value);
    if (value === null || typeof value !== "object") return value;
    const copy = isArray(value) ? [] : { __proto__: null };
    const names = keys(value);
    for (let i = 0; i < names.length; i++) copy[toWellFormed(names[i])] = wellFormed(value[names[i]]);
    return copy;
  };

  // The text of a verified value, or undefined for what has none. Knows RawJson, and no `toJSON`.
  const write = (value) => {
    if (value instanceof RawJson) return value.text;
    if (value === null || typeof value !== "object") return stringify(value);
    const parts = [];
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) parts[i] = write(value[i]) ?? "null";
      return `[${join(parts)}]`;
    }
    const names = keys(value);
    for (let i = 0; i < names.length; i++) {
      const text = write(value[names[i]]);
      if (text !== undefined) parts[parts.length] = `${stringify(names[i])}:${text}`;
    }
    return `{${join(parts)}}`;
  };
  // An agent that gives all objects a `toJSON` does not change what its calls say.
  const plainText = (value) => (hasRaw || "toJSON" in objectPrototype || "toJSON" in arrayPrototype ? write(value) : stringify(value));

  const toJson = (value, label) => {
    if (value instanceof RawJson) return value.text;
    hasRaw = false;
    try {
      verify(value, { __proto__: null }, 0);
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      throw new TypeError(`${label}${refused.path} is ${refused.what}, which JSON cannot carry`);
    }
    const text = value === undefined ? "null" : plainText(value);
    return !hasRaw && includes(text, "\\ud") ? plainText(wellFormed(value)) : text;
  };

  Object.assign(__prelude, { toJson, RawJson });
})(TypeError);
