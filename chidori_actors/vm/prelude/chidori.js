// The object `chidori`: a few primitive host calls; what can be JavaScript on top of them is JavaScript.
((TypeError, Error, AbortSignal) => {
  "use strict";
  const { call, toJson } = __prelude;
  const { keys, freeze } = Object;
  const { isArray } = Array;
  const { trunc } = Math;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const join = uncurry(Array.prototype.join);

  const wrong = (message) => { throw new TypeError(message); };
  const isObject = (value) => value !== null && typeof value === "object" && !isArray(value);
  const requireString = (value, what) => {
    if (typeof value !== "string") wrong(`${what} must be a string, not ${value === null ? "null" : typeof value}`);
    return value;
  };

  const kinds = {
    string: (value) => typeof value === "string",
    number: (value) => typeof value === "number" && value - value === 0,
    boolean: (value) => typeof value === "boolean",
    object: isObject,
    strings: (value) => {
      if (!isArray(value)) return false;
      for (let i = 0; i < value.length; i++) if (typeof value[i] !== "string") return false;
      return true;
    },
    any: () => true,
  };

  // Checks `options` against `known` (option -> [kind, name in the record]) and copies what is set into `args`.
  const takeOptions = (method, options, known, args) => {
    if (options === undefined || options === null) return undefined;
    if (!isObject(options)) wrong(`chidori.${method}: options must be an object`);
    const names = keys(options);
    let signal;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      const value = options[name];
      if (value === undefined) continue;
      if (name === "signal") {
        if (!(value instanceof AbortSignal)) wrong(`chidori.${method}: signal must be an AbortSignal`);
        signal = value;
        continue;
      }
      const option = known[name];
      if (option === undefined) wrong(`chidori.${method}: unknown option "${name}" (known: ${join(keys(known), ", ")}, signal)`);
      if (!kinds[option[0]](value)) wrong(`chidori.${method}: option "${name}" must be ${option[0] === "strings" ? "an array of strings" : `of type ${option[0]}`}`);
      args[option[1]] = value;
    }
    return signal;
  };

  const options = (known) => ({ __proto__: null, ...known });
  const promptOptions = options({
    type: ["string", "type"], model: ["string", "model"], system: ["string", "system"],
    maxTokens: ["number", "max_tokens"], max_tokens: ["number", "max_tokens"], temperature: ["number", "temperature"],
    format: ["string", "format"], strict: ["boolean", "strict"],
  });
  const inputOptions = options({ type: ["string", "type"], choices: ["strings", "choices"], default: ["string", "default"] });
  const httpOptions = options({
    method: ["string", "method"], headers: ["object", "headers"], query: ["object", "params"], params: ["object", "params"],
    body: ["any", "body"], json: ["any", "body"], timeoutMs: ["number", "timeout_ms"], auth: ["object", "auth"],
  });
  const memoryOptions = options({ namespace: ["string", "namespace"], prefix: ["string", "prefix"], values: ["boolean", "values"] });
  const envOptions = options({ reveal: ["boolean", "reveal"] });
  const retryOptions = options({ attempts: ["number", "attempts"], delayMs: ["number", "delayMs"], backoff: ["string", "backoff"] });
  const memoryActions = options({ set: 1, get: 1, delete: 1, list: 0, clear: 0 });

  const later = (method, what) => async () => wrong(`chidori.${method} is not available yet: ${what}`);

  const sleep = (ms) => call("timer", { ms }, sleep);

  const methods = {
    async prompt(text, opts) {
      const args = { text: requireString(text, "chidori.prompt: the prompt") };
      if (isObject(opts) && opts.tools !== undefined) wrong("chidori.prompt: tools are not available yet: tool actors come with forks");
      const signal = takeOptions("prompt", opts, promptOptions, args);
      if (args.format !== undefined && args.format !== "json" && args.format !== "text") wrong(`chidori.prompt: format must be "json" or "text", not "${args.format}"`);
      return await call("prompt", args, methods.prompt, signal);
    },

    async input(prompt, opts) {
      const args = { prompt: requireString(prompt, "chidori.input: the question"), type: null, choices: null, default: null };
      return await call("input", args, methods.input, takeOptions("input", opts, inputOptions, args));
    },

    async http(url, opts) {
      const args = { url: `${url}`, method: "GET", headers: {}, body: null, params: {} };
      return await call("http", args, methods.http, takeOptions("http", opts, httpOptions, args));
    },

    async template(template, vars = {}) {
      requireString(template, "chidori.template: the template");
      if (!isObject(vars)) wrong("chidori.template: the variables must be an object");
      return await call("template", { template, vars }, methods.template);
    },

    async memory(action, ...rest) {
      const takesKey = memoryActions[action];
      if (takesKey === undefined) wrong(`chidori.memory: unknown action ${toJson(`${action}`, "action")} (known: ${join(keys(memoryActions), ", ")})`);
      const args = { action, key: null, namespace: "default", prefix: null, value: null };
      let at = 0;
      if (takesKey) args.key = requireString(rest[at++], `chidori.memory("${action}"): the key`);
      if (action === "set") {
        if (rest.length <= at) wrong('chidori.memory("set"): the value is missing');
        args.value = rest[at++];
      }
      const opts = rest[at++];
      if (rest.length > at) wrong(`chidori.memory("${action}"): too many arguments`);
      return await call("memory", args, methods.memory, takeOptions("memory", opts, memoryOptions, args));
    },

    async checkpoint(label, data = null) {
      return await call("checkpoint", { label: requireString(label, "chidori.checkpoint: the label"), data }, methods.checkpoint);
    },

    async log(message, fields) {
      const args = { message: typeof message === "string" ? message : toJson(message, "message") };
      if (fields !== undefined) args.fields = fields;
      return await call("log", args, methods.log);
    },

    async env(name, opts) {
      const args = { name: requireString(name, "chidori.env: the name") };
      return await call("env", args, methods.env, takeOptions("env", opts, envOptions, args));
    },

    async retry(fn, opts) {
      if (typeof fn !== "function") wrong("chidori.retry: the first argument must be a function");
      const { attempts = 3, delayMs = 250, backoff = "exponential" } = opts ?? {};
      takeOptions("retry", opts, retryOptions, {});
      if (!(attempts >= 1) || attempts % 1 !== 0) wrong("chidori.retry: attempts must be a whole number of at least 1");
      if (!(delayMs >= 0)) wrong("chidori.retry: delayMs must not be negative");
      if (backoff !== "constant" && backoff !== "linear" && backoff !== "exponential") {
        wrong(`chidori.retry: backoff must be "constant", "linear" or "exponential", not "${backoff}"`);
      }
      for (let attempt = 1; ; attempt++) {
        try {
          return await fn(attempt);
        } catch (error) {
          if (attempt >= attempts) throw error;
          const factor = backoff === "constant" ? 1 : backoff === "linear" ? attempt : 2 ** (attempt - 1);
          await sleep(trunc(delayMs * factor));
        }
      }
    },

    async tryCall(fn) {
      if (typeof fn !== "function") wrong("chidori.tryCall: the argument must be a function");
      try {
        return { ok: true, value: await fn() };
      } catch (error) {
        return { ok: false, error: error instanceof Error ? `${error.message}` : `${error}` };
      }
    },

    tool: later("tool", "tools become actors of their own with forks"),
    callAgent: later("callAgent", "sub-agents become actors of their own with forks"),
    parallel: later("parallel", "durable branches come with forks; Promise.all overlaps calls today"),
    execJs: later("execJs", "sandboxed execution comes later"),
    execPython: later("execPython", "sandboxed execution comes later"),
    execWasm: later("execWasm", "sandboxed execution comes later"),
  };

  __prelude.chidori = freeze(methods);
  Object.defineProperty(globalThis, "chidori", { value: methods, writable: false, configurable: false, enumerable: true });
})(TypeError, Error, AbortSignal);
