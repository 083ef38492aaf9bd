// The methods of strings. Positions are numbers of code points.
(() => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, List, Tuple, Iterator, isInt, iterate } = starlark;
  const { lengthOf, pointsBefore, placeOf, take, wrongParameter } = starlark;

  const SPACE = /\p{White_Space}/u;
  const SPACES = /\p{White_Space}+/gu;
  const LETTER = /\p{Alphabetic}/u;
  const NUMERIC = /\p{N}/u;
  const UPPER = /\p{Uppercase}/u;
  const LOWER = /\p{Lowercase}/u;

  const isNone = (value) => value === null || value === undefined;
  const optional = (value, name, type, kind) => (isNone(value) ? null : take[kind](type(value) ? value : wrongParameter(name, `None | ${kind === "string" ? "str" : "int"}`, value), name));
  const maybeInt = (value, name) => optional(value, name, isInt, "index");
  const maybeString = (value, name) => optional(value, name, (given) => typeof given === "string", "string");

  // ---- Searching

  // The part of `text` between two given positions: where it starts in JavaScript's string, and itself; null when there
  // is no such part.
  const part = (text, from, to) => {
    const length = lengthOf(text);
    const clamp = (value, absent) => (value === null ? absent : value < 0 ? Math.max(0, value + length) : value);
    const start = clamp(from, 0);
    const end = Math.min(length, clamp(to, length));
    if (start > end) return null;
    const at = placeOf(text, start);
    return { at, text: text.slice(at, placeOf(text, end)) };
  };
  const search = (name, finder) => (text, needle, from, to) => {
    take.string(needle, "needle");
    const within = part(text, maybeInt(from, "start"), maybeInt(to, "end"));
    const found = within === null ? -1 : within.text[finder](needle);
    if (found >= 0) return pointsBefore(text, within.at + found);
    return name.endsWith("find") ? -1 : fail(`Substring '${needle}' not found in '${text}'`);
  };
  const count = (text, needle, from, to) => {
    take.string(needle, "needle");
    const within = part(text, maybeInt(from, "start"), maybeInt(to, "end"));
    if (within === null) return 0;
    return needle === "" ? lengthOf(within.text) + 1 : within.text.split(needle).length - 1;
  };
  const affixed = (parameter, test) => (text, affix) => {
    if (typeof affix === "string") return text[test](affix);
    const affixes = affix instanceof Tuple && affix.items.every((one) => typeof one === "string");
    if (!affixes) wrongParameter(parameter, "str | tuple[str, ...]", affix);
    return affix.items.some((one) => text[test](one));
  };

  // ---- Splitting and joining

  const list = (items) => new List(items);
  // At most `limit` separators count, from the end when `fromEnd`.
  const splitBy = (text, separator, limit, fromEnd) => {
    const parts = separator === "" ? ["", ...text, ""] : text.split(separator);
    const extra = parts.length - 1 - limit;
    if (limit < 0 || extra <= 0) return parts;
    return fromEnd
      ? [parts.slice(0, extra + 1).join(separator), ...parts.slice(extra + 1)]
      : [...parts.slice(0, limit), parts.slice(limit).join(separator)];
  };
  const splitAtSpaces = (text, limit, fromEnd) => {
    const rest = fromEnd ? trimEnd(text) : trimStart(text);
    const gaps = [...rest.matchAll(SPACES)];
    const counted = limit < 0 ? gaps : fromEnd ? gaps.slice(Math.max(0, gaps.length - limit)) : gaps.slice(0, limit);
    const parts = [];
    let at = 0;
    for (const gap of counted) {
      parts.push(rest.slice(at, gap.index));
      at = gap.index + gap[0].length;
    }
    parts.push(rest.slice(at));
    return limit < 0 || counted.length < limit || counted.length === gaps.length ? parts.filter((one) => one !== "") : parts;
  };
  const split = (fromEnd) => (text, separator, limit) => {
    if (typeof separator === "string" && separator !== "" && limit === undefined) return list(text.split(separator));
    const by = maybeString(separator, "sep");
    const most = maybeInt(limit, "maxsplit") ?? -1;
    return list(by === null ? splitAtSpaces(text, most, fromEnd) : splitBy(text, by, most, fromEnd));
  };
  const splitLines = (text, keep = false) => {
    take.bool(keep, "keepends");
    const lines = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+/g) ?? [];
    return list(keep ? lines : lines.map((line) => line.replace(/[\r\n]+$/, "")));
  };
  const partition = (finder, otherwise) => (text, needle) => {
    if (take.string(needle, "needle") === "") fail("Empty separator cannot be used for partitioning");
    const at = text[finder](needle);
    return new Tuple(at < 0 ? otherwise(text) : [text.slice(0, at), needle, text.slice(at + needle.length)]);
  };
  const join = (separator, items) => {
    const parts = iterate(items);
    for (let i = 0; i < parts.length; i++) if (typeof parts[i] !== "string") wrongParameter("to_join", "str", parts[i]);
    return parts.join(separator);
  };
  const replace = (text, old, by, limit) => {
    take.string(old, "old");
    take.string(by, "new");
    const most = limit === undefined ? -1 : take.index(limit, "count");
    if (limit !== undefined && most < 0) fail(`Replace final argument was negative '${most}'`);
    if (old !== "") return splitBy(text, old, most, false).join(by);
    const gaps = splitBy(text, "", -1, false);
    return gaps.reduce((out, one, i) => out + (i === 0 ? "" : most < 0 || i <= most ? by : "") + one, "");
  };

  // ---- Trimming

  const trimStart = (text, chars = null) => {
    let at = 0;
    for (const one of text) {
      if (!(chars === null ? SPACE.test(one) : chars.includes(one))) break;
      at += one.length;
    }
    return text.slice(at);
  };
  const trimEnd = (text, chars = null) => {
    const points = [...text];
    while (points.length > 0 && (chars === null ? SPACE.test(points.at(-1)) : chars.includes(points.at(-1)))) points.pop();
    return points.join("");
  };
  const trim = (...ways) => (text, chars) => {
    const given = chars === undefined ? null : [...take.string(chars, "chars")];
    return ways.reduce((rest, way) => way(rest, given), text);
  };

  // ---- Case and kinds of characters

  const capitalize = (text) => {
    const [first = ""] = text;
    return first.toUpperCase() + text.slice(first.length).toLowerCase();
  };
  const title = (text) => {
    let inWord = false;
    let out = "";
    for (const one of text) {
      out += inWord ? one.toLowerCase() : one.toUpperCase();
      inWord = LETTER.test(one);
    }
    return out;
  };
  const every = (...kinds) => (text) => {
    for (const one of text) if (!kinds.some((kind) => kind.test(one))) return false;
    return text !== "";
  };
  const cased = (wanted, other) => (text) => wanted.test(text) && !other.test(text);
  const isTitle = (text) => {
    let inWord = false;
    let found = false;
    for (const one of text) {
      const letter = LETTER.test(one);
      if (letter && (inWord ? UPPER : LOWER).test(one)) return false;
      found ||= letter;
      inWord = letter;
    }
    return found;
  };

  const prefixed = (text, prefix) => (text.startsWith(take.string(prefix, "prefix")) ? text.slice(prefix.length) : text);
  const suffixed = (text, suffix) => (text.endsWith(take.string(suffix, "suffix")) ? text.slice(0, text.length - suffix.length) : text);

  // Name -> [fewest arguments, most, what it does with the string and the arguments].
  const methods = {
    capitalize: [0, 0, capitalize],
    codepoints: [0, 0, (text) => new Iterator([...text].map((one) => one.codePointAt(0)))],
    count: [1, 3, count],
    elems: [0, 0, (text) => new Iterator([...text])],
    endswith: [1, 1, affixed("suffix", "endsWith")],
    find: [1, 3, search("find", "indexOf")],
    format: [0, Infinity, (text, args, names, values) => starlark.format(text, args, names, values), "named"],
    index: [1, 3, search("index", "indexOf")],
    isalnum: [0, 0, every(LETTER, NUMERIC)],
    isalpha: [0, 0, every(LETTER)],
    isdigit: [0, 0, every(NUMERIC)],
    islower: [0, 0, cased(LOWER, UPPER)],
    isspace: [0, 0, every(SPACE)],
    istitle: [0, 0, isTitle],
    isupper: [0, 0, cased(UPPER, LOWER)],
    join: [1, 1, join],
    lower: [0, 0, (text) => text.toLowerCase()],
    lstrip: [0, 1, trim(trimStart)],
    partition: [1, 1, partition("indexOf", (text) => [text, "", ""])],
    removeprefix: [1, 1, prefixed],
    removesuffix: [1, 1, suffixed],
    replace: [2, 3, replace],
    rfind: [1, 3, search("rfind", "lastIndexOf")],
    rindex: [1, 3, search("rindex", "lastIndexOf")],
    rpartition: [1, 1, partition("lastIndexOf", (text) => ["", "", text])],
    rsplit: [0, 2, split(true)],
    rstrip: [0, 1, trim(trimEnd)],
    split: [0, 2, split(false)],
    splitlines: [0, 1, splitLines],
    startswith: [1, 1, affixed("prefix", "startsWith")],
    strip: [0, 1, trim(trimStart, trimEnd)],
    title: [0, 0, title],
    upper: [0, 0, (text) => text.toUpperCase()],
  };

  starlark.stringMethods = methods;
})();
