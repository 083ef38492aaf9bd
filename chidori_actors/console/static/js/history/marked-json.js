/** A JSON value as lines, each with the path of the field that it shows, so that one field can be marked. */

/** @typedef {{text: string, marked: boolean}} MarkedLine */

/**
 * The lines of a value, those of the field at `path` marked. A path is written as the server writes it in a divergence:
 * `messages[0].content`; one that leads further than the value goes marks the deepest field that is there.
 * @param {any} value
 * @param {string|null} path null or "": nothing is marked
 * @returns {MarkedLine[]}
 */
export function markedLines(value, path) {
  const lines = [...linesOf(value, "", "", "", "")];
  const target = path === null || path === "" ? null : deepest(lines, path);
  return lines.map(({ text, at }) => ({ text, marked: target !== null && isWithin(at, target) }));
}

/**
 * @param {any} value @param {string} at @param {string} indent @param {string} before @param {string} after
 * @returns {Generator<{text: string, at: string}>}
 */
function* linesOf(value, at, indent, before, after) {
  const isArray = Array.isArray(value);
  const items = isArray ? value.map((item, index) => ({ name: "", at: `${at}[${index}]`, item })) : membersOf(value, at);
  if (items === null || items.length === 0) {
    yield { text: `${indent}${before}${JSON.stringify(value ?? null)}${after}`, at };
    return;
  }
  yield { text: `${indent}${before}${isArray ? "[" : "{"}`, at };
  for (const [index, { name, at: below, item }] of items.entries()) {
    yield* linesOf(item, below, `${indent}  `, name, index + 1 < items.length ? "," : "");
  }
  yield { text: `${indent}${isArray ? "]" : "}"}${after}`, at };
}

/** @param {any} value @param {string} at */
function membersOf(value, at) {
  if (typeof value !== "object" || value === null) return null;
  return Object.entries(value).map(([key, item]) => {
    return { name: `${JSON.stringify(key)}: `, at: at === "" ? key : `${at}.${key}`, item };
  });
}

/** @param {{at: string}[]} lines @param {string} path */
function deepest(lines, path) {
  const known = lines.map((line) => line.at).filter((at) => at !== "" && isWithin(path, at));
  return known.reduce((longest, at) => (at.length > longest.length ? at : longest), "") || null;
}

/** Whether a field is another one or stands in it. @param {string} at @param {string} around */
function isWithin(at, around) {
  return at === around || at.startsWith(`${around}.`) || at.startsWith(`${around}[`);
}
