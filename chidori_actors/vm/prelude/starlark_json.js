// What crosses the VM's boundary is JSON text, so that ints of any size and the difference of 1 and 1.0 survive.
((JSON, BigInt, Number) => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, Float, List, Tuple, Range, Dict, typeOf, toInt, repr } = starlark;
  const { stringify, parse } = JSON;
  const MAX_DEPTH = 200; // what carries the value adds a few; the host's JSON writer stops at 254

  const cannot = (label, what) => fail(`${label} is ${what}, which JSON cannot carry`);
  const MAX_DIGITS = 4300; // what Python reads
  const longText = (value, label) => {
    const text = `${value}`;
    const digits = value < 0n ? text.length - 1 : text.length;
    return digits > MAX_DIGITS ? cannot(label, `an int of more than ${MAX_DIGITS} digits`) : text;
  };
  const floatText = (value, label) => {
    if (value - value !== 0) return cannot(label, `the float ${starlark.compact(value)}`);
    const text = Object.is(value, -0) ? "-0" : `${value}`;
    return /[.e]/.test(text) ? text : `${text}.0`;
  };

  // `above` holds the containers on the way here; `label` says where `value` is.
  const encodeItems = (items, label, above) => {
    const parts = [];
    for (let i = 0; i < items.length; i++) parts[i] = encodeIn(items[i], `${label}[${i}]`, above);
    return `[${parts.join()}]`;
  };
  const encodeDict = (dict, label, above) => {
    const keys = dict.items;
    const values = dict.values;
    const parts = [];
    for (let i = 0; i < keys.length; i++) {
      if (typeof keys[i] !== "string") fail(`${label} has the key ${repr(keys[i])} of type \`${typeOf(keys[i])}\`; the keys of JSON are strings`);
      parts[i] = `${stringify(keys[i])}:${encodeIn(values[i], `${label}[${repr(keys[i])}]`, above)}`;
    }
    return `{${parts.join()}}`;
  };
  const encodeIn = (value, label, above) => {
    switch (typeof value) {
      case "string": return stringify(value);
      case "number": case "boolean": return `${value}`;
      case "bigint": return longText(value, label);
    }
    if (value === null) return "null";
    if (value instanceof Float) return floatText(value.value, label);
    if (!(value instanceof List || value instanceof Tuple || value instanceof Dict || value instanceof Range)) return cannot(label, `of type \`${typeOf(value)}\``);
    if (above.includes(value)) return cannot(label, "part of a cycle");
    if (above.length >= MAX_DEPTH) return cannot(`${label.slice(0, 60)}…`, `nested more than ${MAX_DEPTH} deep`);
    above.push(value);
    const text = value instanceof Dict ? encodeDict(value, label, above) : encodeItems(value.items, label, above);
    above.pop();
    return text;
  };
  const encode = (value, label) => encodeIn(value, label, []);

  // JavaScript's parser would round long ints, make ints of floats and reorder keys that are numbers. Where a text has such
  // things they are parsed as marked strings: U+0000 and `n` before a number, U+0000 and `s` before a string.
  const SPECIAL = /\d[.eE]|\d{16}|"\\u0000|"\d+"\s*:/;
  const NUMBER = /-?\d[\d.eE+-]*/g;
  const KEY = /^\d{1,10}$/; // that JavaScript reorders; as a value it does no harm
  const BACKSLASH = 92;
  const markNumber = (piece) => (piece.length < 16 && !/[.eE]/.test(piece) ? piece : `"\\u0000n${piece}"`);
  const markString = (inside) => (inside.startsWith("\\u0000") || (inside.length <= 10 && KEY.test(inside)) ? `\\u0000s${inside}` : inside);
  // Where the string that begins at `open` ends. The engine's regular expressions need memory for each character of it.
  const closing = (text, open) => {
    for (let at = text.indexOf('"', open + 1); ; at = text.indexOf('"', at + 1)) {
      let slashes = 0;
      while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
      if (slashes % 2 === 0) return at;
    }
  };
  const mark = (text) => {
    const parts = [];
    let at = 0;
    for (let open = text.indexOf('"'); open >= 0; open = text.indexOf('"', at)) {
      const close = closing(text, open);
      parts.push(text.slice(at, open).replace(NUMBER, markNumber), '"', markString(text.slice(open + 1, close)), '"');
      at = close + 1;
    }
    parts.push(text.slice(at).replace(NUMBER, markNumber));
    return parts.join("");
  };
  const unmark = (text) => {
    if (text.charCodeAt(0) !== 0) return text;
    const rest = text.slice(2);
    if (text[1] === "s") return rest;
    return /[.eE]/.test(rest) ? new Float(Number(rest)) : toInt(BigInt(rest));
  };
  const fromJs = (value) => {
    switch (typeof value) {
      case "string": return unmark(value);
      case "number": return value + 0;
      case "boolean": return value;
    }
    if (value === null) return null;
    if (starlark.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = fromJs(value[i]);
      return new List(value);
    }
    const dict = new Dict();
    const keys = Object.keys(value);
    for (let i = 0; i < keys.length; i++) dict.set(unmark(keys[i]), fromJs(value[keys[i]]));
    return dict;
  };
  const decode = (text) => fromJs(parse(SPECIAL.test(text) ? mark(text) : text));

  Object.assign(starlark, { encode, decode });
})(JSON, BigInt, Number);
