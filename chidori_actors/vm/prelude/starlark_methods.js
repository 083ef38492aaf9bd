// The methods of lists and dicts, and how attributes of any value are found.
(() => {
  "use strict";
  const { starlark } = __prelude;
  const { fail, List, Tuple, Dict, Function, isInt, typeOf, mutable, iterate, eq, repr, take, extend, merge } = starlark;

  // ---- Lists

  const positionOf = (items, value, from, to) => {
    for (let i = from; i < to; i++) if (eq(items[i], value)) return i;
    return -1;
  };
  const within = (value, name, length, absent) => {
    if (value === undefined || value === null) return absent;
    if (!isInt(value)) starlark.wrongParameter(name, "None | int", value);
    const at = take.index(value, name);
    return Math.max(0, Math.min(length, at < 0 ? at + length : at));
  };
  const listMethods = {
    append: [1, 1, (list, value) => {
      mutable(list).items.push(value);
      return null;
    }],
    clear: [0, 0, (list) => {
      mutable(list).items.length = 0;
      return null;
    }],
    extend: [1, 1, (list, values) => {
      extend(list, values);
      return null;
    }],
    index: [1, 3, ({ items }, value, from, to) => {
      const length = items.length;
      const found = positionOf(items, value, within(from, "start", length, 0), within(to, "end", length, length));
      return found >= 0 ? found : fail(`Element '${repr(value)}' not found in '${repr(new List(items))}'`);
    }],
    insert: [2, 2, (list, index, value) => {
      const at = take.index(index, "index");
      const { items } = mutable(list);
      items.splice(within(at, "index", items.length, 0), 0, value);
      return null;
    }],
    pop: [0, 1, (list, index) => {
      const at = index === undefined ? list.items.length - 1 : take.index(index, "index");
      const { items } = mutable(list);
      if (at < 0 || at >= items.length) fail(`Index \`${at}\` is out of bound`);
      return items.splice(at, 1)[0];
    }],
    remove: [1, 1, (list, value) => {
      const at = positionOf(list.items, value, 0, list.items.length);
      if (at < 0) fail(`Element '${repr(value)}' not found in list '${repr(list)}'`);
      mutable(list).items.splice(at, 1);
      return null;
    }],
  };

  // ---- Dicts

  // Sets what pairs, or another dict, say. `wrong` is told a pair that is none.
  const setPairs = (dict, pairs, wrong) => {
    if (pairs instanceof Dict) return merge(dict, pairs);
    const all = iterate(pairs);
    for (let i = 0; i < all.length; i++) {
      const pair = iterate(all[i]);
      if (pair.length !== 2) wrong(all[i]);
      dict.set(pair[0], pair[1]);
    }
    return dict;
  };
  const setNamed = (dict, names, values) => {
    if (names !== null) for (let i = 0; i < names.length; i++) dict.set(names[i], values[i]);
  };
  const dictMethods = {
    clear: [0, 0, (dict) => {
      mutable(dict).clear();
      return null;
    }],
    get: [1, 2, (dict, key, otherwise = null) => dict.get(key) ?? (dict.has(key) ? null : otherwise)],
    items: [0, 0, (dict) => {
      const pairs = dict.items;
      const values = dict.values;
      for (let i = 0; i < pairs.length; i++) pairs[i] = new Tuple([pairs[i], values[i]]);
      return new List(pairs);
    }],
    keys: [0, 0, (dict) => new List(dict.items)],
    pop: [1, 2, (dict, key, otherwise) => {
      const found = mutable(dict).get(key);
      if (found !== undefined) {
        dict.delete(key);
        return found;
      }
      return otherwise === undefined ? fail(`Key \`${repr(key)}\` not found in dictionary \`${repr(dict)}\``) : otherwise;
    }],
    popitem: [0, 0, (dict) => {
      mutable(dict);
      if (dict.size === 0) fail("Cannot .popitem() on an empty dictionary");
      const key = dict.items[0];
      const pair = new Tuple([key, dict.get(key)]);
      dict.delete(key);
      return pair;
    }],
    setdefault: [1, 2, (dict, key, value = null) => {
      const found = mutable(dict).get(key);
      if (found !== undefined) return found;
      dict.set(key, value);
      return value;
    }],
    update: [0, 1, (dict, args, names, values) => {
      mutable(dict);
      if (args.length > 0) {
        setPairs(dict, args[0], () => fail("dict.update expect a list of pairs or a dictionary as first argument, got a list of non-pairs."));
      }
      setNamed(dict, names, values);
      return null;
    }, "named"],
    values: [0, 0, (dict) => new List(dict.values)],
  };

  // ---- Attributes: only methods are.

  const tables = { __proto__: null, string: starlark.stringMethods, list: listMethods, dict: dictMethods };
  // Of `named` ones the function gets the arguments as they are, of others up to three positional ones.
  for (const type of Object.keys(tables)) {
    const table = tables[type];
    Object.setPrototypeOf(table, null);
    for (const name of Object.keys(table)) {
      const [least, most, does, kind] = table[name];
      table[name] = { least, most, does, named: kind === "named" };
    }
  }
  List.prototype.methods = tables.list;
  Dict.prototype.methods = tables.dict;
  const methodOf = (value, name) => (typeof value === "string" ? tables.string : value?.methods)?.[name];

  const expectedCount = (least, most) => (least === most ? `${least}` : `between ${least} and ${most}`);
  // Checks the arguments of what takes positional ones only.
  const checkArgs = (least, most, args, names) => {
    if (names !== null && names.length > 0) fail(`Found ${names.map((name) => `\`${name}\``).join(" ")} extra named parameter(s) for call to function`);
    if (args.length < least || args.length > most) fail(`Wrong number of positional arguments, expected ${expectedCount(least, most)}, got ${args.length}`);
  };
  const apply = (value, found, args, names, values) => {
    if (args.length < found.least || args.length > found.most || (names !== null && !found.named)) checkArgs(found.least, found.most, args, found.named ? null : names);
    return found.named ? found.does(value, args, names, values) : found.does(value, args[0], args[1], args[2]);
  };

  // How many letters differ: what a name was most likely meant to be.
  const distance = (a, b) => {
    let row = [...b, ""].map((_, i) => i);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      row = next;
    }
    return row[b.length];
  };
  const noAttribute = (value, name) => {
    const type = typeOf(value);
    const [near] = Object.keys(tables[type] ?? {}).map((known) => [distance(name, known), known]).filter(([far]) => far <= 2).sort((a, b) => a[0] - b[0]);
    return fail(`Object of type \`${type}\` has no attribute \`${name}\`${near === undefined ? "" : `, did you mean \`${near[1]}\`?`}`);
  };

  const bind = (value, name, found) => new Function(name, (args, names, values) => apply(value, found, args, names, values));
  const attr = (value, name) => {
    const found = methodOf(value, name) ?? noAttribute(value, name);
    return bind(value, name, found);
  };
  // Compiled code comes here for every method it calls, mostly of strings and without named arguments.
  const method = (value, name, args, names, values) => {
    const found = (typeof value === "string" ? tables.string : value?.methods)?.[name] ?? noAttribute(value, name);
    const { length } = args;
    if (names === null && !found.named && length >= found.least && length <= found.most) return found.does(value, args[0], args[1], args[2]);
    return apply(value, found, args, names, values);
  };
  const setAttr = (value, name) => fail(`Operation \`.${name}=\` not supported on type \`${typeOf(value)}\``);
  const attributes = (value) => Object.keys(tables[typeOf(value)] ?? {});

  Object.assign(starlark, { methodOf, bindMethod: bind, attr, setAttr, method, attributes, checkArgs, setPairs, setNamed });
})();
