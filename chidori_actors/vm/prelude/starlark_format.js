// `"…" % values` and `"…".format(…)`.
(() => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, Float, Tuple, isInt, repr, str, described, scientific, decimal, compact, toFloat, isNumber, unsupportedOne } = starlark;

  const number = (value) =>
    (isNumber(value) ? toFloat(value) : fail(`Type of parameters mismatch, expected \`float | int\`, actual \`${described(value)}\``));
  // A float is cut off, as long as what is left has 32 bits.
  const whole = (value) => {
    const cut = value instanceof Float ? Math.trunc(value.value) + 0 : value;
    const fits = value instanceof Float ? cut <= 0x7fffffff && cut >= -0x80000000 : isInt(value);
    return fits ? `${cut}` : unsupportedOne("format(%d)", value);
  };
  const digits = (letter, base) => (value) => (isInt(value) ? value.toString(base) : unsupportedOne(`format(%${letter})`, value));

  const conversions = {
    __proto__: null,
    s: str,
    r: repr,
    d: whole,
    o: digits("o", 8),
    x: digits("x", 16),
    X: (value) => digits("X", 16)(value).toUpperCase(),
    e: (value) => scientific(number(value), false),
    f: (value) => decimal(number(value)),
    g: (value) => compact(number(value)),
    E: (value) => scientific(number(value), false).replace("e", "E"),
    F: (value) => decimal(number(value)),
    G: (value) => compact(number(value)).replace("e", "E"),
  };

  const percent = (format, value) => {
    const values = value instanceof Tuple ? value.items : [value];
    let next = 0;
    let text = "";
    let from = 0;
    for (let at = format.indexOf("%"); at >= 0; at = format.indexOf("%", from)) {
      text += format.slice(from, at);
      from = at + 2;
      const letter = format[at + 1] ?? fail("Incomplete format");
      if (letter === "%") {
        text += "%";
        continue;
      }
      const convert = conversions[letter] ?? fail(`Unsupported format character: '${String.fromCodePoint(format.codePointAt(at + 1))}'`);
      if (next === values.length) fail("Not enough arguments for format string");
      text += convert(values[next++]);
    }
    if (next < values.length) fail("Too many arguments for format string");
    return text + format.slice(from);
  };

  // The fields of a format string: texts, and [name, conversion] of each field in between.
  const FIELD = /\{\{|\}\}|\{([^{}!]*)(!(.)?)?\}|[{}]/gsu;
  const fieldOf = (format, found) => {
    const { 0: text, 1: name, 2: bang, 3: letter } = found;
    if (text === "{") fail(`Unmatched '{' in format string \`${format}\``);
    if (text === "}") fail(`Standalone '}' in format string \`${format}\``);
    const wrong = /[.,[\]]/.exec(name);
    if (wrong !== null) fail(`Invalid character '${wrong[0]}' inside replacement field`);
    if (bang !== undefined && letter === undefined) fail(`Missing conversion character in format string \`${format}\``);
    if (letter !== undefined && letter !== "r" && letter !== "s") fail(`Invalid conversion in format string \`${format}\``);
    return { name, convert: letter === "r" ? repr : str };
  };

  const format = (text, args, names, values) => {
    let automatic = 0;
    let manual = false;
    const lookUp = (name) => {
      if (name === "" || /^[0-9]+$/.test(name)) {
        if (name === "" ? manual : automatic > 0) fail("Cannot mix manual field specification and automatic field numbering in format string");
        if (name !== "") manual = true;
        const index = name === "" ? automatic++ : Number(name);
        if (index < args.length) return args[index];
        return fail(name === "" ? "Not enough parameters in format string" : `Index \`${index}\` is out of bound`);
      }
      const at = names === null ? -1 : names.indexOf(name);
      return at < 0 ? fail(`Key \`${name}\` was not found`) : values[at];
    };
    let out = "";
    let at = 0;
    for (const found of text.matchAll(FIELD)) {
      out += text.slice(at, found.index);
      at = found.index + found[0].length;
      if (found[0] === "{{" || found[0] === "}}") {
        out += found[0][0];
      } else {
        const field = fieldOf(text, found);
        out += field.convert(lookUp(field.name));
      }
    }
    return out + text.slice(at);
  };

  Object.assign(starlark, { percent, format });
})();
