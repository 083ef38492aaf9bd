// Items of containers: membership, length, indexing, slicing, unpacking, dicts that are written out.
(() => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, Float, List, Tuple, Range, Dict, Function, isInt, small, mutable, iterate, unsupported, unsupportedOne, eq } = starlark;
  const { isPlain, codePoints, lengthOf, described } = starlark;

  const includes = (items, value) => {
    for (let i = 0; i < items.length; i++) if (eq(items[i], value)) return true;
    return false;
  };
  const rangeHas = (range, value) => {
    const number = value instanceof Float ? value.value : value;
    if (typeof number !== "number") return false;
    const index = (number - range.start) / range.step;
    return index % 1 === 0 && index >= 0 && index < range.length;
  };
  const isIn = (value, container) => {
    if (container instanceof Dict) return container.has(value);
    if (container instanceof List || container instanceof Tuple) return includes(container.items, value);
    if (container instanceof Range) return rangeHas(container, value);
    if (typeof container !== "string") return unsupported("in", value, container);
    if (typeof value !== "string") fail(`Type of parameters mismatch, expected \`str\`, actual \`${described(value)}\``);
    return container.includes(value);
  };
  const notIn = (value, container) => !isIn(value, container);

  const lengthIn = (value) => {
    if (typeof value === "string") return lengthOf(value);
    if (value instanceof List || value instanceof Tuple) return value.items.length;
    if (value instanceof Dict) return value.map.size;
    return value instanceof Range ? value.length : unsupportedOne("len()", value);
  };
  const indexIn = (index, length) => {
    if (!isInt(index)) fail(`Expected \`int\`, but got \`${described(index)}\``);
    small(index);
    const at = index < 0 ? index + length : index;
    if (at < 0 || at >= length) fail(`Index \`${at}\` is out of bound`);
    return at;
  };
  const charAt = (text, index) => {
    if (!isInt(index)) fail(`Type of parameters mismatch, expected \`int\`, actual \`${described(index)}\``);
    small(index);
    const points = isPlain(text) ? text : codePoints(text);
    const at = index < 0 ? index + points.length : index;
    return at < 0 || at >= points.length ? fail(`Index \`${index}\` is out of bound`) : points[at];
  };
  const item = (container, index) => {
    if (container instanceof List && typeof index === "number") {
      const found = container.items[index];
      if (found !== undefined) return found;
    }
    if (container instanceof Dict) {
      const found = container.get(index);
      return found === undefined ? fail(`Key \`${starlark.repr(index)}\` was not found`) : found;
    }
    if (container instanceof List || container instanceof Tuple) return container.items[indexIn(index, container.items.length)];
    if (typeof container === "string") return charAt(container, index);
    if (container instanceof Range) return container.at(indexIn(index, container.length));
    const builtIn = container instanceof Function && container.spec === undefined;
    return builtIn ? unsupportedOne("[]", container) : unsupported("[]", container, index);
  };
  const setItem = (container, index, value) => {
    if (container instanceof Dict) {
      mutable(container).set(index, value);
    } else if (container instanceof List) {
      mutable(container);
      container.items[indexIn(index, container.items.length)] = value;
    } else fail("Immutable");
  };

  const bound = (value, length, absent, low, high) => {
    if (value === null) return absent;
    if (!isInt(value)) fail(`Expected \`int\`, but got \`${described(value)}\``);
    small(value);
    const at = value < 0 ? value + length : value;
    return at < low ? low : at > high ? high : at;
  };
  const sliced = (items, length, from, to, by) => {
    const step = by === null ? 1 : bound(by, 0, 1, -Infinity, Infinity);
    if (step === 0) fail("Index `0` is out of bound");
    const low = step > 0 ? 0 : -1;
    const high = step > 0 ? length : length - 1;
    const start = bound(from, length, step > 0 ? low : high, low, high);
    const end = bound(to, length, step > 0 ? high : low, low, high);
    return items(start, end, step);
  };
  const slice = (value, from, to, by) => {
    const pick = (items) => (start, end, step) => {
      if (step === 1) return items.slice(start, end);
      const found = [];
      for (let i = start; step > 0 ? i < end : i > end; i += step) found[found.length] = items[i];
      return found;
    };
    if (value instanceof List) return new List(sliced(pick(value.items), value.items.length, from, to, by));
    if (value instanceof Tuple) return new Tuple(sliced(pick(value.items), value.items.length, from, to, by));
    if (typeof value === "string") {
      const items = isPlain(value) && (by === null || by === 1) ? value : codePoints(value);
      const found = sliced(pick(items), items.length, from, to, by);
      return typeof found === "string" ? found : found.join("");
    }
    if (!(value instanceof Range)) return unsupportedOne("[::]", value);
    const part = (start, end, step) => new Range(value.at(start), value.at(end), value.step * step);
    return sliced(part, value.length, from, to, by);
  };

  const unpack = (value, count) => {
    const length = lengthIn(value);
    return length === count ? iterate(value) : fail(`Unpacked ${length} values but expected ${count}`);
  };

  // The places of the keys of a dict that is written out follow each other; a failure tells the number of its key.
  const dict = (entries) => {
    const made = new Dict();
    let at = 0;
    try {
      for (; at < entries.length; at += 2) {
        if (made.has(entries[at])) fail(`Dictionary key repeated for \`${starlark.repr(entries[at])}\``);
        made.set(entries[at], entries[at + 1]);
      }
    } catch (error) {
      error.offset = at / 2;
      throw error;
    }
    return made;
  };
  const put = (made, key, value) => made.set(key, value);

  Object.assign(starlark, { isIn, notIn, lengthIn, item, setItem, slice, unpack, dict, put });
})();
