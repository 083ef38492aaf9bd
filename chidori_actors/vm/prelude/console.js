// console: formats its arguments and hands (level, text) to the sink that the host side sets once.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { define, inspect, primordials } = prelude;
  const {
    arrayJoin, arraySlice, indexOf, isArray, mapGet, mapSet, objectKeys, padEnd, repeat, setAdd,
    setHas, stringSlice, uncurryThis,
  } = primordials;
  const { Error, Map, Number, Set, parseFloat, parseInt } = globalThis;
  const { stringify } = JSON;
  const { max } = Math;
  const split = uncurryThis(String.prototype.split);

  let sink = () => {};
  let indentation = "";
  const counts = new Map();

  const toNumber = (value, convert) => {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "symbol" || typeof value === "object") return "NaN";
    return inspect(convert(value));
  };
  const toText = (value) => {
    if (typeof value === "string") return value;
    return typeof value === "object" && value !== null ? inspect(value, { depth: 0 }) : inspect(value);
  };
  const toJsonText = (value) => {
    try {
      return `${stringify(value)}`;
    } catch (error) {
      return `[${error?.name ?? "Error"}: ${error?.message ?? "no JSON"}]`;
    }
  };
  const directives = {
    __proto__: null,
    s: toText,
    d: (value) => toNumber(value, Number),
    i: (value) => toNumber(value, (item) => parseInt(item, 10)),
    f: (value) => (typeof value === "symbol" ? "NaN" : inspect(parseFloat(value))),
    j: toJsonText,
    o: (value) => inspect(value, { depth: 4 }),
    O: (value) => inspect(value, { depth: 4 }),
    c: () => "",
  };

  // Applies printf directives of a first string argument; the rest is appended, separated by blanks.
  const formatLine = (args) => {
    const first = args.length > 0 && typeof args[0] === "string" ? args[0] : null;
    let text = "";
    let next = 0;
    if (first !== null) {
      next = 1;
      let copied = 0;
      for (let at = indexOf(first, "%"); at !== -1 && args.length > 1; at = indexOf(first, "%", at + 2)) {
        const directive = first[at + 1];
        if (directive === "%") {
          text += stringSlice(first, copied, at + 1);
        } else if (directives[directive] !== undefined && next < args.length) {
          text += stringSlice(first, copied, at) + directives[directive](args[next]);
          next += 1;
        } else {
          continue;
        }
        copied = at + 2;
      }
      text += stringSlice(first, copied);
    }
    const parts = first === null ? [] : [text];
    for (let i = next; i < args.length; i++) {
      parts[parts.length] = typeof args[i] === "string" ? args[i] : inspect(args[i]);
    }
    return arrayJoin(parts, " ");
  };

  const write = (level, text) => {
    sink(level, indentation === "" ? text : indentation + arrayJoin(split(text, "\n"), `\n${indentation}`));
  };
  const writer = (level) => (...args) => write(level, formatLine(args));
  const log = writer("log");

  const isObject = (value) => typeof value === "object" && value !== null;
  const addColumns = (row, columns, known) => {
    const keys = objectKeys(row);
    for (let i = 0; i < keys.length; i++) {
      if (setHas(known, keys[i])) continue;
      setAdd(known, keys[i]);
      columns[columns.length] = keys[i];
    }
  };
  const cellsOf = (row, columns, hasValues) => {
    const cells = [];
    for (let i = 0; i < columns.length; i++) {
      cells[i] = isObject(row) && columns[i] in row ? inspect(row[columns[i]], { depth: 0 }) : "";
    }
    if (hasValues) cells[cells.length] = isObject(row) ? "" : inspect(row);
    return cells;
  };
  const drawTable = (rows) => {
    const widths = [];
    for (let r = 0; r < rows.length; r++) {
      for (let c = 0; c < rows[r].length; c++) {
        widths[c] = max(widths[c] ?? 0, rows[r][c].length + 2);
      }
    }
    const rule = (left, middle, right) => {
      const parts = [];
      for (let c = 0; c < widths.length; c++) parts[c] = repeat("─", widths[c]);
      return left + arrayJoin(parts, middle) + right;
    };
    const lines = [rule("┌", "┬", "┐")];
    for (let r = 0; r < rows.length; r++) {
      const parts = [];
      for (let c = 0; c < widths.length; c++) parts[c] = padEnd(` ${rows[r][c]}`, widths[c]);
      lines[lines.length] = `│${arrayJoin(parts, "│")}│`;
      if (r === 0) lines[lines.length] = rule("├", "┼", "┤");
    }
    lines[lines.length] = rule("└", "┴", "┘");
    return arrayJoin(lines, "\n");
  };
  const table = (data, only) => {
    const keys = objectKeys(data);
    const columns = isArray(only) ? arraySlice(only) : [];
    const known = new Set();
    let hasValues = false;
    for (let i = 0; i < keys.length; i++) {
      const row = data[keys[i]];
      if (!isObject(row)) hasValues = true;
      else if (!isArray(only)) addColumns(row, columns, known);
    }
    const rows = [["(index)"]];
    for (let c = 0; c < columns.length; c++) rows[0][c + 1] = `${columns[c]}`;
    if (hasValues) rows[0][columns.length + 1] = "Values";
    for (let i = 0; i < keys.length; i++) {
      const cells = cellsOf(data[keys[i]], columns, hasValues);
      const row = [keys[i]];
      for (let c = 0; c < cells.length; c++) row[c + 1] = cells[c];
      rows[rows.length] = row;
    }
    return drawTable(rows);
  };

  const group = (...args) => {
    if (args.length > 0) write("log", formatLine(args));
    indentation += "  ";
  };
  const countLabel = (label) => (label === undefined ? "default" : `${label}`);
  const methods = {
    log,
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    debug: writer("debug"),
    trace(...args) {
      const label = args.length === 0 ? "Trace" : `Trace: ${formatLine(args)}`;
      write("log", `${label}\n${new Error().stack}`);
    },
    dir: (value, options) => write("log", inspect(value, options)),
    dirxml: log,
    table(data, columns) {
      if (!isObject(data)) log(data);
      else write("log", table(data, columns));
    },
    group,
    groupCollapsed: group,
    groupEnd() {
      indentation = stringSlice(indentation, 2);
    },
    assert(condition, ...args) {
      if (condition) return;
      const text = formatLine(args);
      write("error", text === "" ? "Assertion failed" : `Assertion failed: ${text}`);
    },
    count(label) {
      const name = countLabel(label);
      mapSet(counts, name, (mapGet(counts, name) ?? 0) + 1);
      write("log", `${name}: ${mapGet(counts, name)}`);
    },
    countReset: (label) => void mapSet(counts, countLabel(label), 0),
    // A run has no clock that moves between host calls, so there is nothing true to print.
    time() {},
    timeLog() {},
    timeEnd() {},
    timeStamp() {},
  };

  define("console", methods);
  Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });

  prelude.consoleWriter = writer; // (level) => what writes its arguments under that level
  prelude.setConsoleSink = (write) => (sink = write);
  // What a listener of an event throws; the host side may replace it to end the run instead.
  prelude.reportException = (error) => write("error", `Uncaught ${inspect(error)}`);
})();
