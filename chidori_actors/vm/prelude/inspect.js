// inspect(value): text for people in the manner of Node's util.inspect. No getter of the value is run.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { primordials, hasBrand } = prelude;
  const {
    apply, arrayJoin, bigintValueOf, booleanValueOf, byteLength, dateGetTime, functionToString, getOwnPropertyDescriptor,
    getPrototypeOf, getterOf, indexOf, isArray, isError, isPrototypeOf, isView, mapForEach, mapGet, mapHas, mapSet,
    mapSize, numberValueOf, ownKeys, regExpExec, setAdd, setDelete, setForEach, setHas, setSize, stringSlice, stringValueOf,
    symbolToString, symbolValueOf, typedArrayLength, typedArrayName, uncurryThis,
  } = primordials;
  const { Map, Set } = globalThis;
  const { stringify } = JSON;
  const { is } = Object;
  const dateToISOString = uncurryThis(Date.prototype.toISOString);
  const regExpToString = uncurryThis(RegExp.prototype.toString);
  const regExpSource = getterOf(RegExp.prototype, "source");
  const domExceptionName = getterOf(DOMException.prototype, "name");
  const trimEnd = uncurryThis(String.prototype.trimEnd);
  const split = uncurryThis(String.prototype.split);

  // An object can say itself how it looks, as in Node.
  const customInspect = Symbol.for("nodejs.util.inspect.custom");
  const lineWidth = 72;
  const maxItems = 100;
  const maxStringLength = 10_000;

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  const quote = (text) => {
    const cut = text.length > maxStringLength;
    const shown = stringify(cut ? stringSlice(text, 0, maxStringLength) : text);
    const body = arrayJoin(split(stringSlice(shown, 1, -1), '\\"'), '"');
    const rest = cut ? `... ${count(text.length - maxStringLength, "more character")}` : "";
    if (indexOf(body, "'") === -1) return `'${body}'${rest}`;
    if (indexOf(body, '"') === -1) return `"${body}"${rest}`;
    if (indexOf(body, "`") === -1 && indexOf(body, "${") === -1) return `\`${body}\`${rest}`;
    return `'${arrayJoin(split(body, "'"), "\\'")}'${rest}`;
  };

  const formatPrimitive = (value) => {
    if (typeof value === "string") return quote(value);
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "symbol") return symbolToString(value);
    return is(value, -0) ? "-0" : `${value}`;
  };

  const isIdentifier = (text) => regExpExec(/^[A-Za-z_$][\w$]*$/, text) !== null;
  const formatKey = (key) => {
    if (typeof key === "symbol") return `[${symbolToString(key)}]`;
    return isIdentifier(key) ? key : quote(key);
  };

  // The value of a data property, found as `object.key` would find it; undefined for getters and traps that throw.
  const dataValue = (object, key) => {
    for (let holder = object; holder !== null; holder = getPrototypeOf(holder)) {
      const descriptor = getOwnPropertyDescriptor(holder, key);
      if (descriptor !== undefined) return descriptor.value;
    }
    return undefined;
  };

  const classNameOf = (object) => {
    for (let holder = object; holder !== null; holder = getPrototypeOf(holder)) {
      const constructor = getOwnPropertyDescriptor(holder, "constructor")?.value;
      if (typeof constructor === "function" && isPrototypeOf(constructor.prototype ?? null, object)) {
        const name = getOwnPropertyDescriptor(constructor, "name")?.value;
        if (typeof name === "string" && name !== "") return name;
      }
    }
    return null;
  };

  // "Foo ", "[Object: null prototype] ", "Foo [tag] ", or "" for what the brackets alone make clear.
  const prefixOf = (object, builtIn, suffix = "") => {
    const name = classNameOf(object);
    const tag = dataValue(object, Symbol.toStringTag);
    let prefix = name === null ? `[${builtIn}${suffix}: null prototype]` : `${name}${suffix}`;
    if (typeof tag === "string" && tag !== "" && tag !== name) prefix += ` [${tag}]`;
    return prefix === builtIn && suffix === "" ? "" : `${prefix} `;
  };

  const formatFunction = (fn) => {
    const name = getOwnPropertyDescriptor(fn, "name")?.value;
    const source = functionToString(fn);
    const known = typeof name === "string" && name !== "";
    if (regExpExec(/^class\b/, source) !== null) {
      const parent = getPrototypeOf(fn);
      const parentName = parent === null ? "null" : getOwnPropertyDescriptor(parent, "name")?.value;
      return `[class ${known ? name : "(anonymous)"}${parentName ? ` extends ${parentName}` : ""}]`;
    }
    const kind = classNameOf(fn) ?? "Function";
    return known ? `[${kind}: ${name}]` : `[${kind} (anonymous)]`;
  };

  const formatError = (error) => {
    const read = (key) => {
      const value = dataValue(error, key);
      return value === undefined || typeof value === "object" ? "" : `${String(value)}`;
    };
    const isDomException = hasBrand(domExceptionName, error);
    const name = isDomException ? domExceptionName(error) : read("name") || "Error";
    const message = isDomException ? error.message : read("message");
    const stack = trimEnd(read("stack"));
    const header = message === "" ? name : `${name}: ${message}`;
    return stack === "" ? `[${header}]` : `${header}\n${stack}`;
  };

  const boxedReaders = [
    { name: "Boolean", read: booleanValueOf },
    { name: "Number", read: numberValueOf },
    { name: "String", read: stringValueOf },
    { name: "BigInt", read: bigintValueOf },
    { name: "Symbol", read: symbolValueOf },
  ];
  const formatBoxed = (object) => {
    for (let i = 0; i < boxedReaders.length; i++) {
      const { name, read } = boxedReaders[i];
      if (hasBrand(read, object)) return `[${name}: ${formatPrimitive(read(object))}]`;
    }
    return null;
  };

  // Objects that are one piece of text; what they have besides follows in braces.
  const formatAtom = (object) => {
    if (typeof object === "function") return formatFunction(object);
    if (isError(object) || hasBrand(domExceptionName, object)) return formatError(object);
    if (hasBrand(dateGetTime, object)) {
      return is(dateGetTime(object), NaN) ? "Invalid Date" : dateToISOString(object);
    }
    if (object !== RegExp.prototype && hasBrand(regExpSource, object)) return regExpToString(object);
    return formatBoxed(object);
  };

  const isIndex = (key) => typeof key === "string" && regExpExec(/^(0|[1-9]\d{0,9})$/, key) !== null;

  const formatProperty = (object, key, state, depth) => {
    const descriptor = getOwnPropertyDescriptor(object, key);
    let text;
    if (descriptor.get !== undefined) text = descriptor.set === undefined ? "[Getter]" : "[Getter/Setter]";
    else if (descriptor.set !== undefined) text = "[Setter]";
    else text = formatValue(descriptor.value, state, depth + 1);
    return `${descriptor.enumerable ? formatKey(key) : `[${String(key)}]`}: ${text}`;
  };

  const addProperties = (lines, object, state, depth, skipIndices) => {
    const keys = ownKeys(object);
    for (let i = 0; i < keys.length; i++) {
      if (skipIndices && isIndex(keys[i])) continue;
      const descriptor = getOwnPropertyDescriptor(object, keys[i]);
      const shown = descriptor?.enumerable || (keys[i] === "cause" && isError(object));
      if (shown) lines[lines.length] = formatProperty(object, keys[i], state, depth);
    }
  };

  const addMore = (lines, total) => {
    if (total > maxItems) lines[lines.length] = `... ${count(total - maxItems, "more item")}`;
  };

  const addItems = (lines, array, length, state, depth) => {
    const shown = length < maxItems ? length : maxItems;
    let holes = 0;
    const addHoles = () => {
      if (holes > 0) lines[lines.length] = `<${count(holes, "empty item")}>`;
      holes = 0;
    };
    for (let i = 0; i < shown; i++) {
      const descriptor = getOwnPropertyDescriptor(array, `${i}`);
      if (descriptor === undefined) {
        holes += 1;
        continue;
      }
      addHoles();
      const accessor = descriptor.get !== undefined || descriptor.set !== undefined;
      lines[lines.length] = accessor ? "[Getter]" : formatValue(descriptor.value, state, depth + 1);
    }
    addHoles();
    addMore(lines, length);
  };

  const addEntries = (lines, collection, size, forEach, formatEntry) => {
    let seen = 0;
    forEach(collection, (value, key) => {
      if (seen < maxItems) lines[lines.length] = formatEntry(value, key);
      seen += 1;
    });
    addMore(lines, size);
  };

  const wrap = (prefix, lines, open, close) => {
    if (lines.length === 0) return `${prefix}${open}${close}`;
    const oneLine = arrayJoin(lines, ", ");
    if (prefix.length + oneLine.length <= lineWidth && indexOf(oneLine, "\n") === -1) {
      return `${prefix}${open} ${oneLine} ${close}`;
    }
    const indented = arrayJoin(split(arrayJoin(lines, ",\n"), "\n"), "\n  ");
    return `${prefix}${open}\n  ${indented}\n${close}`;
  };

  const formatContents = (object, state, depth) => {
    const lines = [];
    const value = (item) => formatValue(item, state, depth + 1);
    if (isArray(object) || (isView(object) && typedArrayName(object) !== undefined)) {
      const typed = !isArray(object);
      const length = typed ? typedArrayLength(object) : object.length;
      addItems(lines, object, length, state, depth);
      addProperties(lines, object, state, depth, true);
      const prefix = prefixOf(object, "Array", `(${length})`);
      return wrap(!typed && prefix === `Array(${length}) ` ? "" : prefix, lines, "[", "]");
    }
    if (hasBrand(mapSize, object)) {
      addEntries(lines, object, mapSize(object), mapForEach, (item, key) => `${value(key)} => ${value(item)}`);
      addProperties(lines, object, state, depth, false);
      return wrap(prefixOf(object, "Map", `(${mapSize(object)})`), lines, "{", "}");
    }
    if (hasBrand(setSize, object)) {
      addEntries(lines, object, setSize(object), setForEach, value);
      addProperties(lines, object, state, depth, false);
      return wrap(prefixOf(object, "Set", `(${setSize(object)})`), lines, "{", "}");
    }
    if (hasBrand(byteLength, object)) lines[0] = `byteLength: ${byteLength(object)}`;
    addProperties(lines, object, state, depth, false);
    return wrap(prefixOf(object, "Object"), lines, "{", "}");
  };

  const formatNested = (object, state, depth) => {
    const atom = formatAtom(object);
    if (atom === null) return formatContents(object, state, depth);
    const lines = [];
    addProperties(lines, object, state, depth, hasBrand(stringValueOf, object));
    return lines.length === 0 ? atom : wrap(`${atom} `, lines, "{", "}");
  };

  const formatCustom = (object, state, depth) => {
    const custom = object[customInspect];
    if (typeof custom !== "function") return null;
    const shown = apply(custom, object, [state.maxDepth - depth, {}, inspect]);
    if (shown === object) return null;
    return typeof shown === "string" ? shown : formatValue(shown, state, depth);
  };

  const formatValue = (value, state, depth) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return formatPrimitive(value);
    if (setHas(state.path, value)) {
      if (!mapHas(state.circular, value)) mapSet(state.circular, value, mapSize(state.circular) + 1);
      return `[Circular *${mapGet(state.circular, value)}]`;
    }
    const custom = formatCustom(value, state, depth);
    if (custom !== null) return custom;
    if (depth > state.maxDepth && formatAtom(value) === null) {
      return `[${isArray(value) ? "Array" : (classNameOf(value) ?? "Object: null prototype")}]`;
    }
    setAdd(state.path, value);
    const text = formatNested(value, state, depth);
    setDelete(state.path, value);
    return mapHas(state.circular, value) ? `<ref *${mapGet(state.circular, value)}> ${text}` : text;
  };

  // Text for `value`; objects below `depth` levels are shown by name only. Never throws.
  function inspect(value, options = undefined) {
    const maxDepth = options?.depth === null ? Infinity : (options?.depth ?? 2);
    try {
      return formatValue(value, { maxDepth, path: new Set(), circular: new Map() }, 0);
    } catch (error) {
      return `[cannot be shown: ${typeof error === "object" && error !== null ? dataValue(error, "message") : "an exotic value"}]`;
    }
  }

  prelude.inspect = inspect;
})();
