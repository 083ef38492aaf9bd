// The host API as Starlark has it. Calls are those of the object `chidori`, with their arguments written as JSON text
// and their results read from it.
((Promise, Error) => {
  "use strict";
  const { starlark, call: callHost, useTools, RawJson, toJson } = __prelude;
  const { StarlarkError, fail, Float, List, Dict, Function, isInt, typeOf } = starlark;
  const { encode, decode, specOf, bindArgs, call, placeText, trace, described, repr } = starlark;
  const host = { __proto__: null };
  let called = ""; // the function whose arguments are looked at: all of that is done before anything is waited for

  const define = (name, params, kinds, does) => {
    const spec = specOf(name, params, kinds);
    if (spec.rest < 0) spec.takes = `; it takes ${params.filter((_, i) => !"pP".includes(kinds[i])).join(", ")}`;
    host[name] = new Function(name, (args, names, values, places, place) => {
      if (args.length > spec.positional && spec.star < 0) tooMany(spec, args);
      const bound = bindArgs(spec, args, names, values);
      called = name;
      return does(bound, placeText(places, place), places, place);
    });
  };
  // Python has dicts and settings where names are wanted here.
  const tooMany = (spec, args) => {
    const { name, params, positional, rest } = spec;
    const before = params.slice(0, positional);
    const write = (last) => `; write: ${name}(${[...before, last].join(", ")})`;
    const next = positional === rest ? "NAME" : params.slice(positional).find((one) => !before.includes(one));
    const more = positional === rest && args[positional] instanceof Dict ? write("**{…}") : next === undefined ? spec.takes : write(`${next} = …`);
    fail(`Found ${args.length - positional} extra positional argument(s) for call to ${name}${more}`);
  };
  const KEYWORDS = ["kwargs", "input", "vars", "fields"]; // dicts of what was given as keyword arguments
  const encodeArg = (name, key, value) => {
    if (!KEYWORDS.includes(key)) return encode(value, `${name}(): ${key}`);
    const { items, values } = value;
    return `{${items.map((keyword, i) => `${encode(keyword)}:${encode(values[i], `${name}(): ${keyword}`)}`).join()}}`;
  };
  // Issues the call `name`; `args` are names and values, those without a value left out, and what the agent calls them.
  const issue = (name, args, stack, more) => {
    const parts = [];
    for (const [key, value, known = key] of args) if (value !== undefined) parts.push(`"${key}":${encodeArg(name, known, value)}`);
    return callHost(name, new RawJson(`{${parts.join()}}`), undefined, undefined, { stack, text: true, convert: decode, ...more });
  };

  // ---- Checks: undefined and None both mean that an argument was not given.

  const given = (value) => value !== undefined && value !== null;
  const wrong = (name, expected, value) =>
    fail(`Type of parameter \`${name}\` of ${called}() doesn't match, expected \`${expected}\`, actual \`${described(value)}\``);
  const required = (value, name) => (typeof value === "string" ? value : wrong(name, "str", value));
  const checked = (test, expected) => (value, name) => (!given(value) ? undefined : test(value) ? value : wrong(name, expected, value));
  const string = checked((value) => typeof value === "string", "str");
  const bool = checked((value) => typeof value === "boolean", "bool");
  const number = checked((value) => isInt(value) || value instanceof Float, "float | int");
  const count = checked((value) => typeof value === "number" && value >= 1, "int of at least 1");
  const dict = checked((value) => value instanceof Dict, "dict");
  const strings = checked((value) => value instanceof List && value.items.every((one) => typeof one === "string"), "list[str]");
  const any = (value) => (given(value) ? value : undefined);

  // ---- Models

  let defaults = { __proto__: null };
  let running = false;
  const SETTINGS = { __proto__: null, model: string, temperature: number, max_tokens: count, max_turns: count };
  const settings = Object.keys(SETTINGS);
  define("config", settings, "NNNN", (values) => {
    if (running) fail("config() is for the top of the file, outside of functions");
    defaults = { __proto__: null };
    for (let i = 0; i < settings.length; i++) defaults[settings[i]] = SETTINGS[settings[i]](values[i], settings[i]);
    return null;
  });

  define("prompt", ["text", ...settings, "system", "format", "tools", "type", "strict"], "eNNNNNNNNN", ([text, ...rest], stack) => {
    const [model, temperature, maxTokens, maxTurns, system, format, tools, type, strict] = rest;
    const setting = (value, name) => SETTINGS[name](value, name) ?? defaults[name];
    if (given(format) && format !== "json" && format !== "text") fail(`prompt(): format must be "json" or "text", not ${repr(format)}`);
    const offered = strings(tools, "tools");
    const args = [
      ["text", required(text, "text")], ["model", setting(model, "model")], ["temperature", setting(temperature, "temperature")],
      ["max_tokens", setting(maxTokens, "max_tokens")], ["system", string(system, "system")], ["format", any(format)],
      ["type", string(type, "type")], ["strict", bool(strict, "strict")],
    ];
    if (offered === undefined || offered.items.length === 0) return issue("prompt", args, stack);
    const asked = { tools: [...offered.items], max_turns: Number(setting(maxTurns, "max_turns") ?? 10) };
    for (const [name, value] of args) if (value !== undefined) asked[name] = lift(value);
    return withTools(asked, stack);
  });
  // The tool-use loop is JavaScript's, and so are its values: numbers that JavaScript would bend go through it as texts.
  const lift = (value) => {
    if (value instanceof List) return value.items.map(lift);
    if (value instanceof Dict) {
      const object = { __proto__: null };
      for (const key of value.items) object[key] = lift(value.get(key));
      return object;
    }
    return value instanceof Float || typeof value === "bigint" ? new RawJson(encode(value, "prompt()")) : value;
  };
  const withTools = async (asked, stack) => {
    const more = { stack, text: true, convert: (text) => lift(decode(text)) };
    return decode(toJson(await useTools(asked, undefined, more), "prompt"));
  };

  define("template", ["path_or_text", "vars"], "pk", ([template, vars], stack) =>
    issue("template", [["template", required(template, "template")], ["vars", vars]], stack));

  // ---- Tools, agents, people

  define("tool", ["name", "kwargs"], "pk", ([name, kwargs], stack) => issue("tool", [["name", required(name, "name")], ["kwargs", kwargs]], stack));
  define("call_agent", ["path", "input"], "pk", ([path, input], stack) => issue("call_agent", [["path", required(path, "path")], ["input", input]], stack));
  define("input", ["prompt", "type", "choices", "default"], "eNNN", ([text, type, choices, otherwise], stack) =>
    issue("input", [
      ["prompt", required(text, "prompt")], ["type", string(type, "type") ?? null], ["choices", strings(choices, "choices") ?? null],
      ["default", string(otherwise, "default") ?? null],
    ], stack));

  // ---- The world

  const METHOD = /^[A-Za-z]+$/;
  // http(METHOD, URL, …), http(URL, method = …) or http(url = URL, method = …).
  const target = (first, second, method) => {
    if (first === undefined && second !== undefined) return [string(method, "method") ?? "GET", required(second, "url")];
    if (first === undefined) fail('http(): the URL is missing; write http("GET", "https://…")');
    required(first, second === undefined ? "url" : "method");
    if (second === undefined) {
      if (METHOD.test(first)) fail(`http(): the URL is missing; write http(${repr(first)}, "https://…")`);
      return [string(method, "method") ?? "GET", first];
    }
    if (given(method)) fail("http(): the method is given twice");
    if (!METHOD.test(first)) fail(`http(): ${repr(first)} is no method; write http("GET", url) or http(url, method = "GET")`);
    return [first, required(second, "url")];
  };
  // The first may be the URL, too; nobody can give it by its name.
  define("http", ["method", "url", "method", "headers", "params", "json", "body", "timeout_ms", "auth"], "PENNNNNNN", (values, stack) => {
    const [first, second, named, headers, params, json, body, timeout, auth] = values;
    const [method, url] = target(first, second, named);
    if (given(json) && given(body)) fail("http(): json and body cannot both be given");
    return issue("http", [
      ["url", url], ["method", method], ["headers", dict(headers, "headers") ?? new Dict()], ["body", any(json) ?? any(body) ?? null, given(json) ? "json" : "body"],
      ["params", dict(params, "params") ?? new Dict()], ["timeout_ms", number(timeout, "timeout_ms")], ["auth", dict(auth, "auth")],
    ], stack);
  });
  define("env", ["name", "reveal"], "eN", ([name, reveal], stack) =>
    issue("env", [["name", required(name, "name")], ["reveal", bool(reveal, "reveal")]], stack));
  define("log", ["message", "fields"], "pk", ([message, fields], stack) =>
    issue("log", [
      ["message", typeof message === "string" ? message : encode(message, "log(): message")], ["fields", fields.size > 0 ? fields : undefined],
    ], stack));
  define("checkpoint", ["label", "data"], "eE", ([label, data = null], stack) =>
    issue("checkpoint", [["label", required(label, "label")], ["data", data]], stack));

  const ACTIONS = ["set", "get", "delete", "list", "clear"];
  define("memory", ["action", "key", "value", "namespace", "prefix", "values"], "eEENNN", ([action, key, value, namespace, prefix, values], stack) => {
    if (!ACTIONS.includes(action)) fail(`memory(): unknown action ${repr(action)} (known: ${ACTIONS.join(", ")})`);
    const keyed = action !== "list" && action !== "clear";
    if (keyed && !given(key)) fail(`memory(${repr(action)}): the key is missing`);
    if (!keyed && given(key)) fail(`memory(${repr(action)}) takes no key; prefix = … narrows it down`);
    if (action === "set" ? value === undefined : value !== undefined) {
      fail(`memory(${repr(action)}): ${action === "set" ? "the value is missing" : "there is nothing to do with a value"}`);
    }
    return issue("memory", [
      ["action", action], ["key", string(key, "key") ?? null], ["namespace", string(namespace, "namespace") ?? "default"],
      ["prefix", string(prefix, "prefix") ?? null], ["value", value ?? null], ["values", bool(values, "values")],
    ], stack);
  });

  // ---- Functions that call functions

  const callable = (value, what) => {
    if (!(value instanceof Function)) fail(`${what} is ${repr(value)} of type \`${typeOf(value)}\`, not a function; write lambda: … around it`);
    return value;
  };
  define("parallel", ["functions", "concurrency"], "eN", ([functions, concurrency], stack, places, place) => {
    if (!(functions instanceof List)) wrong("functions", "list", functions);
    const thunks = functions.items.map((one, i) => {
      callable(one, `parallel(): item ${i}`);
      return async () => new RawJson(encode(await call(one, [], null, null, places, place), "the result"));
    });
    const args = [["count", thunks.length], ["concurrency", count(concurrency, "concurrency") ?? null]];
    return issue("parallel", args, stack, { thunks });
  });

  const outcome = (value, error) => {
    const made = new Dict();
    made.set("value", value);
    made.set("error", error);
    return made;
  };
  define("try_call", ["function"], "e", async ([function_], stack, places, place) => {
    callable(function_, "try_call(): the argument");
    try {
      return outcome(await call(function_, [], null, null, places, place), null);
    } catch (error) {
      return outcome(null, error instanceof Error ? `${error.message}` : `${error}`);
    }
  });

  const BACKOFFS = { __proto__: null, constant: () => 1, linear: (attempt) => attempt, exponential: (attempt) => 2 ** (attempt - 1) };
  define("retry", ["function", "max_attempts", "backoff", "initial_delay_ms"], "eEEE", async (values, stack, places, place) => {
    const [function_, attempts, backoff, delay] = values;
    callable(function_, "retry(): the first argument");
    const most = count(attempts, "max_attempts") ?? 3;
    const factor = BACKOFFS[string(backoff, "backoff") ?? "exponential"] ?? fail(`retry(): backoff must be "constant", "linear" or "exponential", not ${repr(backoff)}`);
    const first = starlark.toFloat(number(delay, "initial_delay_ms") ?? 250);
    if (!(first >= 0)) fail("retry(): initial_delay_ms must not be negative");
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(function_, [], null, null, places, place);
      } catch (error) {
        if (attempt >= most) throw error;
      }
      await issue("timer", [["ms", Math.trunc(first * factor(attempt))]], stack);
    }
  });

  // ---- Code that nobody trusts

  const bounds = (timeout, memory) => [["timeout_ms", count(timeout, "timeout_ms")], ["memory_mb", count(memory, "memory_mb")]];
  define("exec_js", ["source", "input", "timeout_ms", "memory_mb"], "eENN", ([source, input, ...most], stack) =>
    issue("exec_js", [["source", required(source, "source")], ["input", input ?? null, "the input"], ...bounds(...most)], stack));
  define("exec_python", ["source", "input", "runtime", "timeout_ms", "memory_mb"], "eENNN", ([source, input, runtime, ...most], stack) =>
    issue("exec_python", [
      ["source", required(source, "source")], ["input", input ?? null, "the input"], ["runtime", string(runtime, "runtime")], ...bounds(...most),
    ], stack));
  define("exec_wasm", ["source", "function", "args", "memory_pages", "fuel", "timeout_ms"], "eeENNN", (values, stack) => {
    const [source, function_, args, pages, fuel, timeout] = values;
    if (given(args) && !(args instanceof List)) wrong("args", "list", args);
    return issue("exec", [
      ["source", required(source, "source")], ["function", required(function_, "function")], ["args", any(args)],
      ["memory_pages", count(pages, "memory_pages")], ["fuel", count(fuel, "fuel")], ["timeout_ms", count(timeout, "timeout_ms")],
    ], stack);
  });

  // ---- Entries: what the host calls with JSON text and what gives JSON text back.

  class InputError extends StarlarkError {}
  Object.defineProperty(InputError.prototype, "name", { value: "InputError" });
  const wrongInput = (message) => { throw new InputError(message); };
  const prepare = (callee, text, what) => {
    running = true;
    const input = decode(text);
    if (!(input instanceof Dict)) wrongInput(`the ${what} must be an object, not ${typeOf(input)}`);
    const { spec } = callee;
    const params = spec.params.map((name, i) => (spec.kinds[i] === "k" ? `**${name}` : name));
    const takes = `${spec.name.slice(spec.name.lastIndexOf(".") + 1)}(${params.join(", ")})`;
    const onlyEvent = spec.kinds.length === 1 && spec.params[0] === "event";
    for (let i = 0; i < spec.kinds.length; i++) {
      if ("pen".includes(spec.kinds[i]) && !input.has(spec.params[i])) wrongInput(`the ${what} has no \`${spec.params[i]}\`, which ${takes} needs`);
    }
    const names = onlyEvent ? ["event"] : input.items;
    for (const name of names) if (spec.rest < 0 && !spec.byName.has(name)) wrongInput(`the ${what} has \`${name}\`, which ${takes} does not take`);
    const values = onlyEvent ? [input.get("event")] : input.values;
    return { call: () => callee.call([], names, values), takes };
  };
  // What goes wrong around the function's own code is told of the place of its `def`.
  const entry = (what) => (find, places, place) => async (text) => {
    let returned = true;
    try {
      const { call: run, takes } = prepare(find(), text, what);
      returned = false;
      const result = await run();
      returned = true;
      return new RawJson(encode(result, `the result of ${takes}`));
    } catch (error) {
      throw returned ? trace(error, places, place) : error;
    }
  };
  starlark.agent = entry("input");
  starlark.run = entry("tool's input");
  starlark.host = host;
  Object.freeze(starlark);
})(Promise, Error);
