// Arithmetic and bits. Compiled code calls these; arguments behind those named here are ignored.
((BigInt, Number) => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, Float, List, Tuple, Dict, isInt, toInt, small, isNumber, unsupported, unsupportedOne, mutable, iterate } = starlark;
  const { floor } = Math;
  const MOST = Number.MAX_SAFE_INTEGER;
  const LEAST = Number.MIN_SAFE_INTEGER;

  // As a float; an int beyond its range is infinite.
  const toFloat = (value) => (value instanceof Float ? value.value : Number(value));
  // Whether one is a float and both are numbers.
  const areFloats = (a, b) => (a instanceof Float ? isNumber(b) : b instanceof Float && isInt(a));

  const add = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      const sum = a + b;
      return sum <= MOST && sum >= LEAST ? sum : toInt(BigInt(a) + BigInt(b));
    }
    if (typeof a === "string" && typeof b === "string") return a + b;
    if (areFloats(a, b)) return new Float(toFloat(a) + toFloat(b));
    if (isInt(a) && isInt(b)) return toInt(BigInt(a) + BigInt(b));
    if (a instanceof List && b instanceof List) return new List([...a.items, ...b.items]);
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple([...a.items, ...b.items]);
    return unsupported("+", a, b);
  };
  const sub = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      const difference = a - b;
      return difference <= MOST && difference >= LEAST ? difference : toInt(BigInt(a) - BigInt(b));
    }
    if (areFloats(a, b)) return new Float(toFloat(a) - toFloat(b));
    return isInt(a) && isInt(b) ? toInt(BigInt(a) - BigInt(b)) : unsupported("-", a, b);
  };

  const MAX_REPEATED = 1 << 28;
  const times = (count, size) => {
    small(count);
    if (count * size > MAX_REPEATED) fail(`The result of \`*\` would have ${count * size} items, which is too large`);
    return count > 0 ? count : 0;
  };
  const repeatItems = (items, count) => {
    const all = [];
    for (let i = times(count, items.length); i > 0; i--) for (let j = 0; j < items.length; j++) all[all.length] = items[j];
    return all;
  };
  const repeat = (value, count) => {
    if (typeof value === "string") return value.repeat(times(count, value.length));
    if (value instanceof List) return new List(repeatItems(value.items, count));
    return value instanceof Tuple ? new Tuple(repeatItems(value.items, count)) : undefined;
  };
  const mul = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      const product = a * b;
      return product <= MOST && product >= LEAST ? product + 0 : toInt(BigInt(a) * BigInt(b));
    }
    if (areFloats(a, b)) return new Float(toFloat(a) * toFloat(b));
    if (isInt(a) && isInt(b)) return toInt(BigInt(a) * BigInt(b));
    return (isInt(b) ? repeat(a, b) : isInt(a) ? repeat(b, a) : undefined) ?? unsupported("*", a, b);
  };

  const operand = (value) => (isInt(value) ? `${value}` : plainFloat(value.value));
  const div = (a, b) => {
    if (!isNumber(a) || !isNumber(b)) return unsupported("/", a, b);
    const [x, y] = [toFloat(a), toFloat(b)];
    if (y === 0) fail(`float division by zero: ${operand(a)} / ${operand(b)}`);
    return new Float(x / y);
  };
  // A float in error texts: the shortest digits that read back the same, never with an exponent.
  const plainFloat = (value) => {
    if (value - value !== 0) return value !== value ? "NaN" : value > 0 ? "inf" : "-inf";
    const [, sign, whole, part = "", exponent = "0"] = /^(-?)(\d+)\.?(\d*)(?:e(.*))?$/.exec(Object.is(value, -0) ? "-0" : `${value}`);
    const shift = Number(exponent);
    if (shift >= 0) return `${sign}${whole}${part.padEnd(shift, "0").slice(0, shift)}${part.length > shift ? `.${part.slice(shift)}` : ""}`;
    return `${sign}0.${"0".repeat(-shift - 1)}${whole}${part}`;
  };

  const floorBig = (a, b) => {
    const quotient = a / b;
    return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
  };
  const floorDiv = (a, b) => {
    if (typeof a === "number" && typeof b === "number" && b !== 0) {
      const rest = a % b;
      const quotient = (a - rest) / b;
      return (rest !== 0 && a < 0 !== b < 0 ? quotient - 1 : quotient) + 0;
    }
    if (!isNumber(a) || !isNumber(b)) return unsupported("//", a, b);
    if (isInt(a) && isInt(b)) return b === 0 ? fail(`Floor division by zero: ${a} // 0`) : toInt(floorBig(BigInt(a), BigInt(b)));
    const [x, y] = [toFloat(a), toFloat(b)];
    if (y === 0) fail("Cannot divide by zero");
    return new Float(floor(x / y));
  };
  const mod = (a, b) => {
    if (typeof a === "number" && typeof b === "number" && b !== 0) {
      const rest = a % b;
      return (rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest) + 0;
    }
    if (typeof a === "string") return starlark.percent(a, b);
    if (!isNumber(a) || !isNumber(b)) return unsupported("%", a, b);
    if (isInt(a) && isInt(b)) {
      if (b === 0) fail(`Modulo by zero: ${a} % 0`);
      return toInt(BigInt(a) - floorBig(BigInt(a), BigInt(b)) * BigInt(b));
    }
    const [x, y] = [toFloat(a), toFloat(b)];
    if (y === 0) fail("Cannot divide by zero");
    const rest = x % y;
    return new Float(rest === 0 ? 0 : rest < 0 !== y < 0 ? rest + y : rest);
  };

  const neg = (a) => {
    if (typeof a === "number") return 0 - a;
    if (typeof a === "bigint") return toInt(-a);
    return a instanceof Float ? new Float(-a.value) : unsupportedOne("-", a);
  };
  const pos = (a) => (isNumber(a) ? a : unsupportedOne("+", a));
  const invert = (a) => (isInt(a) ? toInt(~BigInt(a)) : unsupportedOne("~", a));

  // ---- Bits. JavaScript's own operators are of 32 bits.

  const isSmall = (value) => typeof value === "number" && value <= 0x7fffffff && value >= -0x80000000;
  const bitAnd = (a, b) => {
    if (isSmall(a) && isSmall(b)) return a & b;
    return isInt(a) && isInt(b) ? toInt(BigInt(a) & BigInt(b)) : unsupported("&", a, b);
  };
  const bitXor = (a, b) => {
    if (isSmall(a) && isSmall(b)) return a ^ b;
    return isInt(a) && isInt(b) ? toInt(BigInt(a) ^ BigInt(b)) : unsupported("^", a, b);
  };
  const merge = (into, dict) => {
    const keys = dict.items;
    const values = dict.values;
    for (let i = 0; i < keys.length; i++) into.set(keys[i], values[i]);
    return into;
  };
  const bitOr = (a, b) => {
    if (isSmall(a) && isSmall(b)) return a | b;
    if (isInt(a) && isInt(b)) return toInt(BigInt(a) | BigInt(b));
    return a instanceof Dict && b instanceof Dict ? merge(merge(new Dict(), a), b) : unsupported("|", a, b);
  };
  const MAX_SHIFT = 1 << 24;
  const isNegative = (int) => (typeof int === "bigint" ? int < 0n : int < 0);
  const shiftLeft = (a, b) => {
    if (!isInt(a) || !isInt(b)) return unsupported("<<", a, b);
    if (isNegative(b)) fail("Negative left shift");
    if (a === 0) return 0;
    if (typeof b === "bigint" || b > MAX_SHIFT) fail("Integer overflow computing left shift");
    return toInt(BigInt(a) << BigInt(b));
  };
  const shiftRight = (a, b) => {
    if (!isInt(a) || !isInt(b)) return unsupported(">>", a, b);
    if (isNegative(b)) fail("Negative right shift");
    if (typeof b === "bigint") return isNegative(a) ? -1 : 0;
    return isSmall(a) ? a >> (b < 31 ? b : 31) : toInt(BigInt(a) >> BigInt(b));
  };

  // ---- In place: only lists and dicts have such forms of their own.

  const extend = (list, value) => {
    mutable(list);
    const items = [...iterate(value)];
    for (let i = 0; i < items.length; i++) list.items[list.items.length] = items[i];
  };
  const addTo = (a, b) => {
    if (!(a instanceof List)) return add(a, b);
    extend(a, b);
    return a;
  };
  const orTo = (a, b) => {
    if (!(a instanceof Dict)) return bitOr(a, b);
    if (!(b instanceof Dict)) return unsupported("|=", a, b);
    return merge(mutable(a), b);
  };

  Object.assign(starlark, {
    add, sub, mul, div, floorDiv, mod, neg, pos, invert, bitAnd, bitXor, bitOr, shiftLeft, shiftRight, addTo, orTo, merge, extend,
    toFloat, plainFloat,
  });
})(BigInt, Number);
