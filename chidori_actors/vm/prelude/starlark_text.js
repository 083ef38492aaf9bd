// str() and repr(), how floats are written, and strings as sequences of code points.
(() => {
  "use strict";
  const { starlark } = __prelude;
  const { Float, List, Tuple, Range, Dict, Function, typeOf, isInt } = starlark;
  const { floor, log10, abs, round } = Math;
  const PRECISION = 6;

  // ---- Floats: six digits at most, the shortest text that reads back the same only while the exponent is small.

  const notFinite = (value) => (value !== value ? "nan" : value > 0 ? "+inf" : "-inf");
  const exponentOf = (value) => (value === 0 ? 0 : floor(log10(abs(value))));

  // Digits and exponent as the reference computes them, but for the carry that it forgets: 9e+10 for 9.9999999e10.
  const rounded = (value) => {
    let exponent = exponentOf(value);
    const leading = value === 0 ? 0 : value / 10 ** exponent;
    if (!(leading < 10)) return value.toExponential(PRECISION).split("e"); // the power is out of range
    const whole = floor(leading);
    const tail = round((leading - whole) * 10 ** PRECISION);
    const millionths = whole * 10 ** PRECISION + tail;
    if (millionths === 10 ** (PRECISION + 1)) exponent++;
    const text = `${millionths}`.padStart(PRECISION + 1, "0");
    return [`${text[0]}.${text.slice(1, PRECISION + 1)}`, `${exponent < 0 ? "-" : "+"}${abs(exponent)}`];
  };
  const scientific = (value, shorten) => {
    if (value - value !== 0) return notFinite(value);
    const [digits, exponent] = rounded(abs(value));
    const sign = value < 0 || Object.is(value, -0) ? "-" : "";
    return `${sign}${shorten ? digits.replace(/\.?0+$/, "") : digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  };

  const decimal = (value) => {
    if (value - value !== 0) return notFinite(value);
    if (abs(value) >= 1e21) return `${BigInt(value)}.${"0".repeat(PRECISION)}`;
    return Object.is(value, -0) ? `-${(0).toFixed(PRECISION)}` : value.toFixed(PRECISION);
  };

  const compact = (value) => {
    if (value - value !== 0) return notFinite(value);
    if (abs(exponentOf(value)) >= PRECISION) return scientific(value, true);
    if (value % 1 !== 0) return `${value}`;
    return `${Object.is(value, -0) ? "-0" : value}.0`;
  };

  // ---- repr

  const ESCAPES = { __proto__: null, "\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"' };
  const SPECIAL = /[^ !#-[\]-~]/gu;
  const hex = (code, digits) => code.toString(16).padStart(digits, "0");
  const KEPT = /[\p{Alphabetic}\p{N}]/u;
  const escape = (character) => {
    if (character in ESCAPES) return ESCAPES[character];
    const code = character.codePointAt(0);
    if (code > 0xff && KEPT.test(character)) return character;
    return code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  };
  const quote = (text) => `"${text.replace(SPECIAL, escape)}"`;

  // `above` holds the containers that are being written.
  const reprAll = (items, above) => {
    const parts = [];
    for (let i = 0; i < items.length; i++) parts[i] = reprIn(items[i], above);
    return parts;
  };
  const reprDict = (dict, above) => {
    const keys = reprAll(dict.items, above);
    const values = reprAll(dict.values, above);
    for (let i = 0; i < keys.length; i++) keys[i] += `: ${values[i]}`;
    return `{${keys.join(", ")}}`;
  };
  const reprIn = (value, above) => {
    if (value instanceof Float) return compact(value.value);
    if (value instanceof Function) return value.name;
    const open = value instanceof List ? "[" : value instanceof Tuple ? "(" : value instanceof Dict ? "{" : "";
    if (open === "") return repr(value);
    const close = open === "[" ? "]" : open === "(" ? ")" : "}";
    if (above.includes(value)) return `${open}...${close}`;
    above.push(value);
    let text;
    if (open === "{") text = reprDict(value, above);
    else text = `${open}${reprAll(value.items, above).join(", ")}${open === "(" && value.items.length === 1 ? "," : ""}${close}`;
    above.pop();
    return text;
  };
  const reprRange = ({ start, stop, step }) => {
    if (step !== 1) return `range(${start}, ${stop}, ${step})`;
    return start === 0 ? `range(${stop})` : `range(${start}, ${stop})`;
  };

  const repr = (value) => {
    if (value === null) return "None";
    switch (typeof value) {
      case "string": return quote(value);
      case "boolean": return value ? "True" : "False";
      case "object": break;
      default: return `${value}`;
    }
    if (value instanceof Range) return reprRange(value);
    return value.type === "iterator" ? "iterator" : reprIn(value, []);
  };
  const str = (value) => (typeof value === "string" ? value : repr(value));

  // ---- Code points. Only text with characters beyond U+FFFF differs from JavaScript's strings. What was found out about
  // the last long text is kept, for loops that index one.

  const LONG = 64;
  const SURROGATES = /[\ud800-\udbff]/;
  const COUNTED = /[\ud800-\udbff]/g;
  let seen = "";
  let seenIsPlain = true;
  let split = "";
  let splitPoints = [];

  const isPlain = (text) => {
    if (text.length < LONG) return text.length < 2 || !SURROGATES.test(text);
    if (text !== seen) {
      seen = text;
      seenIsPlain = !SURROGATES.test(text);
    }
    return seenIsPlain;
  };
  const codePoints = (text) => {
    if (text.length < LONG) return [...text];
    if (text !== split) {
      split = text;
      splitPoints = [...text];
    }
    return splitPoints;
  };
  const lengthOf = (text) => (isPlain(text) ? text.length : text.length - text.match(COUNTED).length);
  // Between a place in JavaScript's string and the number of code points before it.
  const pointsBefore = (text, at) => (isPlain(text) ? at : lengthOf(text.slice(0, at)));
  const placeOf = (text, points) => {
    if (isPlain(text)) return points;
    let at = 0;
    for (let i = 0; i < points && at < text.length; i++) at += text.codePointAt(at) > 0xffff ? 2 : 1;
    return at;
  };

  // UTF-16 puts U+E000 to U+FFFF behind what lies beyond U+FFFF; code points are in the order of UTF-8.
  const compareText = (a, b) => {
    if (a === b) return 0;
    if (isPlain(a) && isPlain(b)) return a < b ? -1 : 1;
    let i = 0;
    while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
    if (i === a.length || i === b.length) return i === a.length ? -1 : 1;
    const isSurrogate = (code) => code >= 0xd800 && code < 0xe000;
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? (y >= 0xe000 ? 1 : x - y) : x >= 0xe000 ? -1 : x - y;
  };

  const MOST_TOLD = 60;
  const shortened = (text) => {
    const points = [...text];
    return points.length <= MOST_TOLD ? text : `${points.slice(0, 34).join("")}<<...>>${points.slice(-17).join("")}`;
  };
  const described = (value) => `${typeOf(value)} (repr: ${shortened(repr(value))})`;
  const wrongParameter = (name, expected, value) =>
    starlark.fail(`Type of parameter \`${name}\` doesn't match, expected \`${expected}\`, actual \`${described(value)}\``);
  const take = {
    __proto__: null,
    string: (value, name) => (typeof value === "string" ? value : wrongParameter(name, "str", value)),
    bool: (value, name) => (typeof value === "boolean" ? value : wrongParameter(name, "bool", value)),
    int: (value, name) => (isInt(value) ? value : wrongParameter(name, "int", value)),
    // An int that an index can be: the reference's are of 32 bits.
    index: (value, name) => {
      if (!isInt(value)) wrongParameter(name, "int", value);
      if (typeof value === "bigint" || value > 0x7fffffff || value < -0x80000000) {
        starlark.fail(`Error unpacking value for parameter \`${name}\` of type \`int\`: Integer value is too big to fit in i32: ${value}`);
      }
      return value;
    },
  };

  Object.assign(starlark, {
    scientific, decimal, compact, repr, str, isPlain, codePoints, lengthOf, pointsBefore, placeOf, compareText, described, wrongParameter, take,
  });
})();
