// URLSearchParams of the URL standard.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { define, primordials } = prelude;
  const { apply, arrayJoin, getOwnPropertyDescriptor, indexOf, ownKeys, stringSlice, toWellFormed, uncurryThis } = primordials;
  const { percent } = prelude;
  const split = uncurryThis(String.prototype.split);
  const sortArray = uncurryThis(Array.prototype.sort);
  const { create } = Object;
  const iteratorPrototype = create(Iterator.prototype);

  const toText = (value) => toWellFormed(`${value}`);

  const parseForm = (text) => {
    const pairs = [];
    const parts = split(text, "&");
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] === "") continue;
      const equals = indexOf(parts[i], "=");
      const name = equals === -1 ? parts[i] : stringSlice(parts[i], 0, equals);
      const value = equals === -1 ? "" : stringSlice(parts[i], equals + 1);
      pairs[pairs.length] = { name: percent.formDecode(name), value: percent.formDecode(value) };
    }
    return pairs;
  };
  const serializeForm = (pairs) => {
    const parts = [];
    for (let i = 0; i < pairs.length; i++) {
      parts[i] = `${percent.formEncode(pairs[i].name)}=${percent.formEncode(pairs[i].value)}`;
    }
    return arrayJoin(parts, "&");
  };

  const pairsOfSequence = (sequence) => {
    const pairs = [];
    for (const item of sequence) {
      const members = [];
      if (typeof item !== "object" || item === null) throw new TypeError("URLSearchParams: every pair must be an array");
      for (const member of item) members[members.length] = toText(member);
      if (members.length !== 2) throw new TypeError("URLSearchParams: every pair must have a name and a value");
      pairs[pairs.length] = { name: members[0], value: members[1] };
    }
    return pairs;
  };
  const pairsOfRecord = (record) => {
    const pairs = [];
    const positions = { __proto__: null };
    const keys = ownKeys(record);
    for (let i = 0; i < keys.length; i++) {
      if (!getOwnPropertyDescriptor(record, keys[i])?.enumerable) continue;
      const name = toText(keys[i]);
      // Two keys can become one when lone surrogates are replaced; the last value counts.
      positions[name] ??= pairs.length;
      pairs[positions[name]] = { name, value: toText(record[keys[i]]) };
    }
    return pairs;
  };
  const pairsOf = (init) => {
    if ((typeof init === "object" && init !== null) || typeof init === "function") {
      const iterate = init[Symbol.iterator];
      return iterate === undefined || iterate === null ? pairsOfRecord(init) : pairsOfSequence(init);
    }
    const text = toText(init);
    return parseForm(text[0] === "?" ? stringSlice(text, 1) : text);
  };

  class URLSearchParams {
    #pairs;
    #changed = () => {};

    constructor(init = "") {
      this.#pairs = pairsOf(init);
    }
    static {
      prelude.searchParams = {
        // `changed` gets the serialised list after every change.
        connect: (params, changed) => (params.#changed = changed),
        reset: (params, query) => (params.#pairs = parseForm(query)),
      };
    }
    #replace(pairs) {
      this.#pairs = pairs;
      this.#changed(serializeForm(pairs));
    }
    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      if (arguments.length < 2) throw new TypeError("URLSearchParams.append: 2 arguments required");
      this.#pairs[this.#pairs.length] = { name: toText(name), value: toText(value) };
      this.#replace(this.#pairs);
    }
    #without(name, value) {
      const kept = [];
      for (let i = 0; i < this.#pairs.length; i++) {
        const pair = this.#pairs[i];
        if (pair.name !== name || (value !== undefined && pair.value !== value)) kept[kept.length] = pair;
      }
      return kept;
    }
    delete(name, value = undefined) {
      if (arguments.length < 1) throw new TypeError("URLSearchParams.delete: 1 argument required");
      this.#replace(this.#without(toText(name), value === undefined ? undefined : toText(value)));
    }
    get(name) {
      const wanted = toText(name);
      for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i].name === wanted) return this.#pairs[i].value;
      return null;
    }
    getAll(name) {
      const wanted = toText(name);
      const values = [];
      for (let i = 0; i < this.#pairs.length; i++) {
        if (this.#pairs[i].name === wanted) values[values.length] = this.#pairs[i].value;
      }
      return values;
    }
    has(name, value = undefined) {
      if (arguments.length < 1) throw new TypeError("URLSearchParams.has: 1 argument required");
      const wanted = value === undefined ? undefined : toText(value);
      return this.#without(toText(name), wanted).length < this.#pairs.length;
    }
    set(name, value) {
      if (arguments.length < 2) throw new TypeError("URLSearchParams.set: 2 arguments required");
      const replacement = { name: toText(name), value: toText(value) };
      const pairs = [];
      let placed = false;
      for (let i = 0; i < this.#pairs.length; i++) {
        const matches = this.#pairs[i].name === replacement.name;
        if (!matches) pairs[pairs.length] = this.#pairs[i];
        else if (!placed) pairs[pairs.length] = replacement;
        placed ||= matches;
      }
      if (!placed) pairs[pairs.length] = replacement;
      this.#replace(pairs);
    }
    sort() {
      this.#replace(sortArray(this.#pairs, (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)));
    }
    forEach(callback, thisArgument = undefined) {
      if (typeof callback !== "function") throw new TypeError("URLSearchParams.forEach: the callback is not a function");
      for (let i = 0; i < this.#pairs.length; i++) {
        apply(callback, thisArgument, [this.#pairs[i].value, this.#pairs[i].name, this]);
      }
    }
    // Live, as in the standard: a pair that is added during iteration is visited.
    #iterate(pick) {
      let index = 0;
      const next = () => {
        if (index >= this.#pairs.length) return { value: undefined, done: true };
        index += 1;
        return { value: pick(this.#pairs[index - 1]), done: false };
      };
      return create(iteratorPrototype, { next: { value: next, writable: true, configurable: true } });
    }
    entries() {
      return this.#iterate((pair) => [pair.name, pair.value]);
    }
    keys() {
      return this.#iterate((pair) => pair.name);
    }
    values() {
      return this.#iterate((pair) => pair.value);
    }
    toString() {
      return serializeForm(this.#pairs);
    }
    [Symbol.for("nodejs.util.inspect.custom")](depth, options, inspect) {
      const parts = [];
      for (let i = 0; i < this.#pairs.length; i++) {
        parts[i] = `${inspect(this.#pairs[i].name)} => ${inspect(this.#pairs[i].value)}`;
      }
      return parts.length === 0 ? "URLSearchParams {}" : `URLSearchParams { ${arrayJoin(parts, ", ")} }`;
    }
  }

  const { prototype } = URLSearchParams;
  Object.defineProperty(prototype, Symbol.iterator, { value: prototype.entries, writable: true, configurable: true });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: "URLSearchParams", configurable: true });
  Object.defineProperty(iteratorPrototype, Symbol.toStringTag, { value: "URLSearchParams Iterator", configurable: true });
  define("URLSearchParams", URLSearchParams);
})();
