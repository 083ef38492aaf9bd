// The functions that every Starlark module finds.
((Number, BigInt) => {
  "use strict";
  const { starlark, consoleWriter } = __prelude;
  const { fail, Float, List, Tuple, Range, Dict, Function, typeOf, isInt, toInt, truth, iterate } = starlark;
  const { repr, str, take, wrongParameter, lengthIn, compare, checkArgs, setPairs, setNamed, callEach, bindArgs, specOf } = starlark;

  const builtins = { __proto__: null };
  // One that takes positional arguments only, between `least` and `most`.
  const plain = (name, least, most, does) => {
    builtins[name] = new Function(name, (args, names) => {
      if (args.length < least || args.length > most || names !== null) checkArgs(least, most, args, names);
      return does(args[0], args[1], args[2]);
    });
  };
  // One with named parameters, see specOf; `does` gets them and the place of the call.
  const named = (name, params, kinds, does) => {
    const spec = specOf(name, params, kinds);
    builtins[name] = new Function(name, (args, names, values, places, place) => does(bindArgs(spec, args, names, values), places, place));
  };

  // ---- Numbers

  const wrongNumber = (value) => wrongParameter("a", "bool | float | int | str", value);
  const PREFIXES = { __proto__: null, 16: "x", 8: "o", 2: "b" };
  const BASES = { __proto__: null, x: 16, o: 8, b: 2 };
  const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";
  const parseInt = (text, base) => {
    const negative = text[0] === "-";
    let digits = negative || text[0] === "+" ? text.slice(1) : text;
    if (digits[0] === "-" || digits[0] === "+") fail(`Cannot parse \`${digits}\` as an integer`);
    const prefix = digits[0] === "0" ? digits.slice(1, 2).toLowerCase() : "";
    const radix = base === 0 ? BASES[prefix] ?? 10 : base;
    if (prefix !== "" && PREFIXES[radix] === prefix) digits = digits.slice(2);
    let value = 0n;
    for (const one of digits[0] === "_" ? "" : digits.toLowerCase().replaceAll("_", "")) {
      const digit = DIGITS.indexOf(one);
      if (digit < 0 || digit >= radix) return fail(`Cannot parse \`${digits}\` as an integer in base ${radix}`);
      value = value * BigInt(radix) + BigInt(digit);
    }
    if (digits === "" || digits[0] === "_") fail(`Cannot parse \`${digits}\` as an integer in base ${radix}`);
    return toInt(negative ? -value : value);
  };
  const cut = (value) => {
    if (value - value !== 0) fail(`Float \`${starlark.plainFloat(value)}\` cannot be represented as exact integer`);
    return toInt(BigInt(Math.trunc(value)));
  };
  named("int", ["a", "base"], "PE", ([value = 0, base]) => {
    if (!isInt(value) && !["string", "boolean"].includes(typeof value) && !(value instanceof Float)) wrongNumber(value);
    if (base !== undefined) take.index(base, "base");
    if (typeof value === "string") {
      const radix = base ?? 10;
      if (radix !== 0 && (radix < 2 || radix > 36)) fail(`${radix} is not a valid base, int() base must be >= 2 and <= 36`);
      return parseInt(value, radix);
    }
    if (base !== undefined) fail(`int() cannot convert non-string with explicit base '${base}'`);
    if (typeof value === "boolean") return value ? 1 : 0;
    return value instanceof Float ? cut(value.value) : value;
  });

  const FLOAT = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)$/i;
  const parseFloat = (text) => {
    if (!FLOAT.test(text)) fail(`${repr(text)} is not a valid number: ${text === "" ? "cannot parse float from empty string" : "invalid float literal"}`);
    const word = text.toLowerCase();
    if (word.endsWith("nan")) return NaN;
    if (word.includes("inf")) return word[0] === "-" ? -Infinity : Infinity;
    const value = Number(text);
    return value - value === 0 ? value : fail(`float() floating-point number too large: ${text}`);
  };
  plain("float", 0, 1, (value = 0) => {
    if (value instanceof Float) return value;
    if (typeof value === "string") return new Float(parseFloat(value));
    return typeof value === "boolean" || isInt(value) ? new Float(Number(value)) : wrongNumber(value);
  });
  plain("abs", 1, 1, (value) => {
    if (value instanceof Float) return new Float(Math.abs(value.value));
    if (!isInt(value)) wrongParameter("x", "float | int", value);
    return starlark.lt(value, 0) ? starlark.neg(value) : value;
  });
  plain("bool", 0, 1, (value = false) => truth(value));

  // ---- Text

  plain("str", 1, 1, str);
  plain("repr", 1, 1, repr);
  plain("type", 1, 1, typeOf);
  plain("len", 1, 1, lengthIn);
  plain("ord", 1, 1, (text) => {
    const points = [...take.string(text, "a")];
    return points.length === 1 ? points[0].codePointAt(0) : fail(`ord(): ${repr(text)} is not a single character string`);
  });
  plain("chr", 1, 1, (code) => {
    take.index(code, "i");
    if (code < 0) fail(`chr() parameter value negative integer ${code}`);
    const valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return valid ? String.fromCodePoint(code) : fail(`chr() parameter value is 0x${code.toString(16)} which is not a valid UTF-8 codepoint`);
  });
  plain("hash", 1, 1, (text) => {
    take.string(text, "a");
    let hash = 0;
    for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
    return hash;
  });
  named("fail", ["args"], "*", ([{ items }]) => fail(["fail:", ...items.map(str)].join(" ")));
  const printLine = consoleWriter("print");
  named("print", ["args"], "*", ([{ items }]) => {
    printLine(items.map(str).join(" "));
    return null;
  });

  // ---- Collections

  plain("list", 0, 1, (items) => new List(items === undefined ? [] : [...iterate(items)]));
  plain("tuple", 0, 1, (items) => (items instanceof Tuple ? items : new Tuple(items === undefined ? [] : [...iterate(items)])));
  builtins.dict = new Function("dict", (args, names, values) => {
    checkArgs(0, 1, args, null);
    const made = new Dict();
    if (args.length > 0) setPairs(made, args[0], (pair) => fail(`Found a non-pair element in the positional argument of dict(): ${repr(pair)}`));
    setNamed(made, names, values);
    return made;
  });
  plain("range", 1, 3, (a, b, step = 1) => {
    const first = take.index(a, "a1");
    const stop = b === undefined ? first : take.index(b, "a2");
    if (take.index(step, "step") === 0) fail("Third argument of range (step) cannot be zero");
    return new Range(b === undefined ? 0 : first, stop, step);
  });
  named("enumerate", ["it", "start"], "pE", ([items, start = 0]) => {
    take.index(start, "start");
    return new List(iterate(items).map((item, i) => new Tuple([i + start, item])));
  });
  named("zip", ["args"], "*", ([{ items }]) => {
    const all = items.map((one) => iterate(one));
    const rows = [];
    const length = all.length === 0 ? 0 : Math.min(...all.map((one) => one.length));
    for (let i = 0; i < length; i++) rows[i] = new Tuple(all.map((one) => one[i]));
    return new List(rows);
  });
  plain("reversed", 1, 1, (items) => new List([...iterate(items)].reverse()));
  plain("any", 1, 1, (items) => iterate(items).some(truth));
  plain("all", 1, 1, (items) => iterate(items).every(truth));

  // The first of the greatest (`sign` 1) or least (-1).
  const extreme = (items, keys, sign) => {
    if (items.length === 0) fail("Argument is an empty iterable, max() expect a non empty iterable");
    let best = 0;
    for (let i = 1; i < items.length; i++) if (compare(keys[best], keys[i]) * sign < 0) best = i;
    return items[best];
  };
  const pick = (sign) => ([args, key], places, place) => {
    const all = args.items.length === 1 ? args.items[0] : args;
    const items = iterate(all);
    if (key === undefined) return extreme(items, items, sign);
    return callEach(key, all, places, place, (keys) => extreme(items, keys, sign));
  };
  named("max", ["args", "key"], "*N", pick(1));
  named("min", ["args", "key"], "*N", pick(-1));

  // Mixed types make a comparison fail; most often there is one, and JavaScript's order is that of Starlark.
  const sort = (items, keys, reverse) => {
    const order = items.map((_, i) => i);
    const numbers = keys.every((key) => typeof key === "number");
    const ascending = numbers ? (a, b) => keys[a] - keys[b] : (a, b) => -compare(keys[b], keys[a]);
    order.sort(reverse ? (a, b) => ascending(b, a) : ascending);
    return new List(order.map((i) => items[i]));
  };
  named("sorted", ["x", "key", "reverse"], "pNN", ([given, key, reverse = false], places, place) => {
    take.bool(reverse, "reverse");
    const items = iterate(given);
    if (key === undefined) return sort(items, items, reverse);
    return callEach(key, given, places, place, (keys) => sort(items, keys, reverse));
  });

  // ---- Attributes

  plain("dir", 1, 1, (value) => new List(starlark.attributes(value)));
  plain("hasattr", 2, 2, (value, name) => starlark.methodOf(value, take.string(name, "attr")) !== undefined);
  plain("getattr", 2, 3, (value, name, otherwise) => {
    const found = starlark.methodOf(value, take.string(name, "attr"));
    if (found !== undefined) return starlark.bindMethod(value, name, found);
    return otherwise === undefined ? fail(`Operation \`.${name}\` not supported on type \`${typeOf(value)}\``) : otherwise;
  });

  starlark.builtins = builtins;
})(Number, BigInt);
