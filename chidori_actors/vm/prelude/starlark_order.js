// Equality and order of values.
((BigInt, Number) => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, Float, List, Tuple, Range, Dict, typeOf, isInt, compareText } = starlark;

  const isNumber = (value) => isInt(value) || value instanceof Float;
  const unsupported = (operator, a, b) => fail(`Operation \`${operator}\` not supported for types \`${typeOf(a)}\` and \`${typeOf(b)}\``);
  const unsupportedOne = (operator, a) => fail(`Operation \`${operator}\` not supported on type \`${typeOf(a)}\``);

  const MAX_DEPTH = 1000;
  const eqItems = (a, b, depth) => {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!eqIn(a[i], b[i], depth)) return false;
    return true;
  };
  const eqDicts = (a, b, depth) => {
    if (a.map.size !== b.map.size) return false;
    for (const [key, value] of a.map) if (!b.map.has(key) || !eqIn(value, b.map.get(key), depth)) return false;
    return true;
  };
  // The engine is wrong about some comparisons of BigInts with numbers (-9007199254740992n < -2147483648 is false), so the
  // two are never mixed.
  const eqIntFloat = (int, float) => int === (Number.isSafeInteger(float) ? float + 0 : Number.isInteger(float) ? BigInt(float) : undefined);
  const eqFloat = (a, b) => (a === b || (a !== a && b !== b));
  const eqIn = (a, b, depth) => {
    if (a === b) return true;
    // Equal ints have the same representation, and === compares BigInts by value.
    if (typeof a !== "object") return b instanceof Float && isInt(a) && eqIntFloat(a, b.value);
    if (typeof b !== "object") return a instanceof Float && isInt(b) && eqIntFloat(b, a.value);
    if (a === null || b === null || a.type !== b.type) return false;
    if (depth > MAX_DEPTH) fail("Too many recursion levels");
    if (a instanceof Float) return eqFloat(a.value, b.value);
    if (a instanceof List || a instanceof Tuple) return eqItems(a.items, b.items, depth + 1);
    if (a instanceof Dict) return eqDicts(a, b, depth + 1);
    if (!(a instanceof Range) || a.length !== b.length) return false;
    return a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step));
  };
  const eq = (a, b) => a === b || eqIn(a, b, 0);
  const ne = (a, b) => !eqIn(a, b, 0);

  // NaN is the greatest float and equals itself.
  const compareNumbers = (a, b) => {
    if (typeof a !== typeof b) return compareMixed(a, b);
    if (a < b) return -1;
    if (a > b) return 1;
    if (a === b) return 0;
    return (a !== a ? 1 : 0) - (b !== b ? 1 : 0);
  };
  // One is a BigInt, so it is beyond all numbers but the great floats, which are whole.
  const compareMixed = (a, b) => {
    if (typeof b === "bigint") return -compareMixed(b, a);
    if (b !== b) return -1;
    if (Number.isFinite(b) && !Number.isSafeInteger(b) && Number.isInteger(b)) return compareNumbers(a, BigInt(b));
    return (Number.isFinite(b) ? a < 0n : b > 0) ? -1 : 1;
  };
  const compareItems = (a, b, depth) => {
    if (depth > MAX_DEPTH) fail("Too many recursion levels");
    for (let i = 0; i < a.length && i < b.length; i++) {
      const order = compare(a[i], b[i], depth + 1);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  };
  const ORDERS = { __proto__: null, string: "cmp()", list: "cmp()", tuple: "cmp()", bool: "<>" };
  const compare = (a, b, depth = 0) => {
    if (typeof a === "string" && typeof b === "string") return compareText(a, b);
    if (isNumber(a) && isNumber(b)) return compareNumbers(a instanceof Float ? a.value : a, b instanceof Float ? b.value : b);
    if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
    if ((a instanceof List && b instanceof List) || (a instanceof Tuple && b instanceof Tuple)) return compareItems(a.items, b.items, depth);
    return unsupported(ORDERS[typeOf(a)] ?? "compare", a, b);
  };
  const lt = (a, b) => (typeof a === "number" && typeof b === "number" ? a < b : compare(a, b) < 0);
  const le = (a, b) => (typeof a === "number" && typeof b === "number" ? a <= b : compare(a, b) <= 0);
  const gt = (a, b) => (typeof a === "number" && typeof b === "number" ? a > b : compare(a, b) > 0);
  const ge = (a, b) => (typeof a === "number" && typeof b === "number" ? a >= b : compare(a, b) >= 0);

  Object.assign(starlark, { isNumber, unsupported, unsupportedOne, eq, ne, compare, lt, le, gt, ge });
})(BigInt, Number);
