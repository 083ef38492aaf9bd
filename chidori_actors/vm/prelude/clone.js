// structuredClone of the HTML standard: what can be cloned keeps its type, cycles and shared references.
(() => {
  "use strict";
  const { primordials, define, hasBrand } = globalThis.__prelude;
  const {
    bigintValueOf, booleanValueOf, byteLength, dateGetTime, defineProperty, getOwnPropertyDescriptor, getterOf, hasOwn,
    isArray, isError, isPrototypeOf, isView, mapForEach, mapGet, mapHas, mapSet, mapSize, numberValueOf, objectKeys,
    setAdd, setForEach, setHas, setSize, stringValueOf, symbolToString, symbolValueOf, typedArrayLength,
    typedArrayName, uncurryThis,
  } = primordials;
  const { DOMException, Map, Set, Date, RegExp, ArrayBuffer, DataView } = globalThis;
  const typedArrayPrototype = Reflect.getPrototypeOf(Uint8Array.prototype);
  const bufferSlice = uncurryThis(ArrayBuffer.prototype.slice);
  const bufferTransfer = uncurryThis(ArrayBuffer.prototype.transfer);
  const isDetached = getterOf(ArrayBuffer.prototype, "detached");
  const regExpSource = getterOf(RegExp.prototype, "source");
  const regExpFlags = getterOf(RegExp.prototype, "flags");
  const domExceptionName = getterOf(DOMException.prototype, "name");
  const domExceptionMessage = getterOf(DOMException.prototype, "message");
  const typedArrayReaders = {
    buffer: getterOf(typedArrayPrototype, "buffer"),
    byteOffset: getterOf(typedArrayPrototype, "byteOffset"),
  };
  const dataViewReaders = {
    buffer: getterOf(DataView.prototype, "buffer"),
    byteOffset: getterOf(DataView.prototype, "byteOffset"),
    byteLength: getterOf(DataView.prototype, "byteLength"),
  };
  const constructors = { __proto__: null };
  for (const name of [
    "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
    "Float16Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array",
    "Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError",
  ]) {
    constructors[name] = globalThis[name];
  }
  const errorNames = new Set(["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]);

  // Types whose internal state has no clone. Their prototypes are how they are known: they have no cheap brand check.
  const unclonable = [];
  for (const [kind, prototype] of [
    ["a Promise", Promise.prototype],
    ["a WeakMap", WeakMap.prototype],
    ["a WeakSet", WeakSet.prototype],
    ["a generator", Reflect.getPrototypeOf(function* () {}).prototype],
    ["an async generator", Reflect.getPrototypeOf(async function* () {}).prototype],
    ["an iterator", Iterator.prototype],
  ]) {
    unclonable[unclonable.length] = { kind, prototype };
  }

  const refuse = (what) => {
    throw new DOMException(`structuredClone: ${what} cannot be cloned`, "DataCloneError");
  };
  const setOwn = (target, key, value) =>
    defineProperty(target, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

  const cloneBoxed = (value) => {
    if (hasBrand(booleanValueOf, value)) return Object(booleanValueOf(value));
    if (hasBrand(numberValueOf, value)) return Object(numberValueOf(value));
    if (hasBrand(stringValueOf, value)) return Object(stringValueOf(value));
    if (hasBrand(bigintValueOf, value)) return Object(bigintValueOf(value));
    if (hasBrand(symbolValueOf, value)) return refuse("a Symbol object");
    return undefined;
  };

  const isRegExp = (value) => value !== RegExp.prototype && hasBrand(regExpSource, value);

  const cloneView = (view, memory) => {
    const name = typedArrayName(view);
    if (name === undefined) {
      const buffer = clone(dataViewReaders.buffer(view), memory);
      return new DataView(buffer, dataViewReaders.byteOffset(view), dataViewReaders.byteLength(view));
    }
    const buffer = clone(typedArrayReaders.buffer(view), memory);
    return new constructors[name](buffer, typedArrayReaders.byteOffset(view), typedArrayLength(view));
  };

  // Own data properties only, as the standard says: no getter of the error runs.
  const dataProperty = (object, key) => {
    const descriptor = getOwnPropertyDescriptor(object, key);
    return descriptor !== undefined && hasOwn(descriptor, "value") ? descriptor : undefined;
  };

  const cloneError = (error, memory) => {
    const name = `${error.name}`;
    const copy = new constructors[setHas(errorNames, name) ? name : "Error"]();
    mapSet(memory, error, copy);
    const hide = (key, value) =>
      defineProperty(copy, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
    const message = dataProperty(error, "message");
    if (message !== undefined) hide("message", `${message.value}`);
    const stack = dataProperty(error, "stack");
    if (stack !== undefined) hide("stack", `${stack.value}`);
    const cause = dataProperty(error, "cause");
    if (cause !== undefined) hide("cause", clone(cause.value, memory));
    return copy;
  };

  const cloneMap = (map, memory) => {
    const copy = new Map();
    mapSet(memory, map, copy);
    const entries = [];
    mapForEach(map, (value, key) => (entries[entries.length] = { key, value }));
    for (let i = 0; i < entries.length; i++) {
      mapSet(copy, clone(entries[i].key, memory), clone(entries[i].value, memory));
    }
    return copy;
  };

  const cloneSet = (set, memory) => {
    const copy = new Set();
    mapSet(memory, set, copy);
    const values = [];
    setForEach(set, (value) => (values[values.length] = value));
    for (let i = 0; i < values.length; i++) setAdd(copy, clone(values[i], memory));
    return copy;
  };

  const cloneProperties = (object, memory) => {
    const copy = isArray(object) ? [] : {};
    if (isArray(object)) copy.length = object.length;
    mapSet(memory, object, copy);
    const keys = objectKeys(object);
    for (let i = 0; i < keys.length; i++) {
      if (hasOwn(object, keys[i])) setOwn(copy, keys[i], clone(object[keys[i]], memory));
    }
    return copy;
  };

  const cloneBuffer = (buffer) => (isDetached(buffer) ? refuse("a detached ArrayBuffer") : bufferSlice(buffer, 0));

  // Objects without references to others; undefined for the rest.
  const cloneLeaf = (object) => {
    if (hasBrand(dateGetTime, object)) return new Date(dateGetTime(object));
    if (isRegExp(object)) return new RegExp(regExpSource(object), regExpFlags(object));
    if (hasBrand(byteLength, object)) return cloneBuffer(object);
    if (hasBrand(domExceptionName, object)) {
      return new DOMException(domExceptionMessage(object), domExceptionName(object));
    }
    return cloneBoxed(object);
  };

  const cloneObject = (object, memory) => {
    const leaf = cloneLeaf(object) ?? (isView(object) ? cloneView(object, memory) : undefined);
    if (leaf !== undefined) {
      mapSet(memory, object, leaf);
      return leaf;
    }
    if (hasBrand(mapSize, object)) return cloneMap(object, memory);
    if (hasBrand(setSize, object)) return cloneSet(object, memory);
    if (isError(object)) return cloneError(object, memory);
    for (let i = 0; i < unclonable.length; i++) {
      if (isPrototypeOf(unclonable[i].prototype, object)) return refuse(unclonable[i].kind);
    }
    return cloneProperties(object, memory);
  };

  const clone = (value, memory) => {
    if (typeof value === "symbol") return refuse(symbolToString(value));
    if (typeof value === "function") return refuse(`the function ${value.name || "(anonymous)"}`);
    if (typeof value !== "object" || value === null) return value;
    return mapHas(memory, value) ? mapGet(memory, value) : cloneObject(value, memory);
  };

  const transferList = (options) => {
    const seen = new Set();
    const transfer = options?.transfer;
    if (transfer === undefined) return seen;
    for (const item of transfer) {
      if (typeof item !== "object" || !hasBrand(byteLength, item)) refuse("a transferred value that is no ArrayBuffer");
      if (setHas(seen, item)) refuse("an ArrayBuffer that is transferred twice");
      setAdd(seen, item);
    }
    return seen;
  };

  // Transferred buffers are copied like the others and then detached: there is no other realm to hand them to.
  function structuredClone(value, options = undefined) {
    if (arguments.length === 0) throw new TypeError("structuredClone: 1 argument required");
    const transferred = transferList(options);
    const copy = clone(value, new Map());
    setForEach(transferred, (buffer) => bufferTransfer(buffer));
    return copy;
  }

  define("structuredClone", structuredClone);
})();
