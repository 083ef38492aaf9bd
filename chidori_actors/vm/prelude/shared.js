// What the other prelude files share: built-ins captured before agent code can replace them, and `define`.
// Prelude code calls these instead of methods, so an agent that overwrites Array.prototype.push or
// JSON.stringify breaks itself only. host.js takes what it needs from __prelude and deletes the global.
(() => {
  "use strict";
  const { bind, call } = Function.prototype;
  const uncurryThis = bind.bind(call);
  const getterOf = (prototype, name) =>
    uncurryThis(Reflect.getOwnPropertyDescriptor(prototype, name).get);

  const primordials = {
    __proto__: null,
    uncurryThis,
    getterOf,
    apply: Reflect.apply,
    ownKeys: Reflect.ownKeys,
    getOwnPropertyDescriptor: Reflect.getOwnPropertyDescriptor,
    getPrototypeOf: Reflect.getPrototypeOf,
    defineProperty: Object.defineProperty,
    objectKeys: Object.keys,
    hasOwn: Object.hasOwn,
    isPrototypeOf: uncurryThis(Object.prototype.isPrototypeOf),
    isArray: Array.isArray,
    isView: ArrayBuffer.isView,
    arrayJoin: uncurryThis(Array.prototype.join),
    arraySlice: uncurryThis(Array.prototype.slice),
    arraySplice: uncurryThis(Array.prototype.splice),
    charCodeAt: uncurryThis(String.prototype.charCodeAt),
    codePointAt: uncurryThis(String.prototype.codePointAt),
    stringSlice: uncurryThis(String.prototype.slice),
    indexOf: uncurryThis(String.prototype.indexOf),
    lastIndexOf: uncurryThis(String.prototype.lastIndexOf),
    padEnd: uncurryThis(String.prototype.padEnd),
    repeat: uncurryThis(String.prototype.repeat),
    toLowerCase: uncurryThis(String.prototype.toLowerCase),
    toWellFormed: uncurryThis(String.prototype.toWellFormed),
    normalize: uncurryThis(String.prototype.normalize),
    fromCharCode: String.fromCharCode,
    fromCodePoint: String.fromCodePoint,
    numberToString: uncurryThis(Number.prototype.toString),
    regExpExec: uncurryThis(RegExp.prototype.exec),
    symbolToString: uncurryThis(Symbol.prototype.toString),
    functionToString: uncurryThis(Function.prototype.toString),
    isError: Error.isError,
    // Every reader of an internal slot throws on a value without it: a brand check that cannot be faked.
    booleanValueOf: uncurryThis(Boolean.prototype.valueOf),
    numberValueOf: uncurryThis(Number.prototype.valueOf),
    stringValueOf: uncurryThis(String.prototype.valueOf),
    bigintValueOf: uncurryThis(BigInt.prototype.valueOf),
    symbolValueOf: uncurryThis(Symbol.prototype.valueOf),
    dateGetTime: uncurryThis(Date.prototype.getTime),
    mapSize: getterOf(Map.prototype, "size"),
    mapGet: uncurryThis(Map.prototype.get),
    mapHas: uncurryThis(Map.prototype.has),
    mapSet: uncurryThis(Map.prototype.set),
    mapForEach: uncurryThis(Map.prototype.forEach),
    setSize: getterOf(Set.prototype, "size"),
    setAdd: uncurryThis(Set.prototype.add),
    setHas: uncurryThis(Set.prototype.has),
    setDelete: uncurryThis(Set.prototype.delete),
    setForEach: uncurryThis(Set.prototype.forEach),
    byteLength: getterOf(ArrayBuffer.prototype, "byteLength"),
    typedArrayName: getterOf(Reflect.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag),
    typedArrayLength: getterOf(Reflect.getPrototypeOf(Uint8Array.prototype), "length"),
    typedArraySet: uncurryThis(Uint8Array.prototype.set),
    typedArraySubarray: uncurryThis(Uint8Array.prototype.subarray),
  };

  // Like a built-in of the web: writable, configurable, not enumerable.
  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  // True when reading the internal slot succeeds, that is, when `value` really is of that built-in type.
  const hasBrand = (readSlot, value) => {
    try {
      readSlot(value);
      return true;
    } catch {
      return false;
    }
  };

  Object.defineProperty(globalThis, "__prelude", {
    value: { __proto__: null, primordials, define, hasBrand },
    configurable: true,
  });
})();
