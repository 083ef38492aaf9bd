// The object `chidori`: a few primitive host calls; what can be JavaScript on top of them is JavaScript.
((TypeError, Error, AbortSignal, Promise) => {
  "use strict";
  const { call, isRefusal, toJson, agentStack, inspect, addAbortAlgorithm, removeAbortAlgorithm } = __prelude;
  const { keys, freeze } = Object;
  const { isArray } = Array;
  const { trunc } = Math;
  const { apply } = Reflect;
  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const join = uncurry(Array.prototype.join);
  const isPromise = (value) => value instanceof Promise;
  const then = uncurry(Promise.prototype.then);
  const rejected = Promise.reject.bind(Promise);
  const allOf = Promise.all.bind(Promise);

  const wrong = (message) => { throw new TypeError(message); };
  const isObject = (value) => value !== null && typeof value === "object" && !isArray(value);
  const requireString = (value, what) => {
    if (typeof value !== "string") wrong(`${what} must be a string, not ${value === null ? "null" : typeof value}`);
    return value;
  };

  const kinds = {
    string: (value) => typeof value === "string",
    number: (value) => typeof value === "number" && value - value === 0,
    count: (value) => typeof value === "number" && value >= 1 && value % 1 === 0,
    boolean: (value) => typeof value === "boolean",
    object: isObject,
    strings: (value) => {
      if (!isArray(value)) return false;
      for (let i = 0; i < value.length; i++) if (typeof value[i] !== "string") return false;
      return true;
    },
    values: isArray,
    any: () => true,
  };

  const kindTexts = { __proto__: null, strings: "an array of strings", values: "an array", count: "a whole number of at least 1" };

  // A getter of the agent's array could answer otherwise once it was checked.
  const copied = (array) => {
    const copy = [];
    for (let i = 0; i < array.length; i++) copy[i] = array[i];
    return copy;
  };

  // Checks `options` against `known` (option -> [kind, name in the record]) and copies what is set into `args`.
  const takeOptions = (method, options, known, args) => {
    if (options === undefined || options === null) return undefined;
    if (!isObject(options)) wrong(`chidori.${method}: options must be an object`);
    const names = keys(options);
    let signal;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      let value = options[name];
      if (value === undefined) continue;
      if (name === "signal") {
        if (!(value instanceof AbortSignal)) wrong(`chidori.${method}: signal must be an AbortSignal`);
        signal = value;
        continue;
      }
      const option = known[name];
      if (option === undefined) wrong(`chidori.${method}: unknown option "${name}" (known: ${join(keys(known), ", ")}, signal)`);
      if (isArray(value) && option[0] !== "any") value = copied(value);
      if (!kinds[option[0]](value)) wrong(`chidori.${method}: option "${name}" must be ${kindTexts[option[0]] ?? `of type ${option[0]}`}`);
      args[option[1]] = value;
    }
    return signal;
  };

  const options = (known) => ({ __proto__: null, ...known });
  const promptOptions = options({
    type: ["string", "type"], model: ["string", "model"], system: ["string", "system"],
    maxTokens: ["number", "max_tokens"], max_tokens: ["number", "max_tokens"], temperature: ["number", "temperature"],
    format: ["string", "format"], strict: ["boolean", "strict"], tools: ["strings", "tools"], maxTurns: ["count", "max_turns"],
    max_turns: ["count", "max_turns"],
  });
  const inputOptions = options({ type: ["string", "type"], choices: ["strings", "choices"], default: ["string", "default"] });
  const httpOptions = options({
    method: ["string", "method"], headers: ["object", "headers"], query: ["object", "params"], params: ["object", "params"],
    body: ["any", "body"], json: ["any", "body"], timeoutMs: ["number", "timeout_ms"], auth: ["object", "auth"],
  });
  const memoryOptions = options({ namespace: ["string", "namespace"], prefix: ["string", "prefix"], values: ["boolean", "values"] });
  const envOptions = options({ reveal: ["boolean", "reveal"] });
  const noOptions = options({});
  const parallelOptions = options({ concurrency: ["count", "concurrency"], settle: ["boolean", "settle"], isolate: ["boolean", "isolate"] });
  const retryOptions = options({ attempts: ["number", "attempts"], delayMs: ["number", "delayMs"], backoff: ["string", "backoff"] });
  const execJsOptions = options({ input: ["any", "input"], timeoutMs: ["count", "timeout_ms"], memoryMb: ["count", "memory_mb"] });
  const execPythonOptions = options({ ...execJsOptions, runtime: ["string", "runtime"] });
  const execWasmOptions = options({
    function: ["string", "function"], args: ["values", "args"], memoryPages: ["count", "memory_pages"], fuel: ["count", "fuel"],
    timeoutMs: ["count", "timeout_ms"],
  });
  // JSON has neither of these; they go as texts.
  const wasmArgument = (value) => (typeof value === "bigint" || (typeof value === "number" && value - value !== 0) ? `${value}` : value);
  const memoryActions = options({ set: 1, get: 1, delete: 1, list: 0, clear: 0 });

  const sleep = (ms, signal) => call("timer", { ms }, sleep, signal);

  // A method gives the promise of its call as it is, so that a branch can wait for a call of its parent. Misuse rejects.
  const rejecting = (methods) => {
    const names = keys(methods);
    for (let i = 0; i < names.length; i++) {
      const method = methods[names[i]];
      methods[names[i]] = {
        [names[i]](...args) {
          try {
            return apply(method, undefined, args);
          } catch (error) {
            if (isRefusal(error)) throw error; // thousands of calls that nobody awaits would fail in silence
            return rejected(error);
          }
        },
      }[names[i]];
    }
    return methods;
  };

  // `parallel` without forks: everything in this VM, at most `concurrency` at once.
  const together = async (thunks, { concurrency, settle }, signal) => {
    const results = [];
    let next = 0;
    const work = async () => {
      while (next < thunks.length && !signal?.aborted) {
        const i = next++;
        const thunk = thunks[i];
        if (!settle) {
          results[i] = await thunk();
          continue;
        }
        try {
          results[i] = { status: "fulfilled", value: await thunk() };
        } catch (reason) {
          results[i] = { status: "rejected", reason };
        }
      }
    };
    const workers = [];
    for (let i = 0; i < thunks.length && (concurrency === null || i < concurrency); i++) workers[i] = work();
    await allOf(workers);
    return results;
  };

  const untilAborted = (work, signal) => {
    if (signal === undefined) return work;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else addAbortAlgorithm(signal, abort);
      const ended = () => removeAbortAlgorithm(signal, abort);
      then(work, (value) => { ended(); resolve(value); }, (error) => { ended(); reject(error); });
    });
  };

  // The tool-use loop: a turn is a prompt, its tool calls run side by side, and what goes wrong in one of them is for
  // the model to deal with.
  const useTools = async (args, signal, more) => {
    const messages = [];
    const { tools, max_turns: turns } = args;
    for (let turn = 1; turn <= turns; turn++) {
      const asked = { ...args, turn };
      if (turn > 1) asked.messages = messages;
      const reply = await call("prompt", asked, undefined, signal, more);
      const calls = reply.tool_calls;
      if (calls.length === 0) return "value" in reply ? reply.value : reply.content;
      messages[messages.length] = { role: "assistant", content: reply.content, tool_calls: calls, blocks: reply.blocks };
      const answers = [];
      for (let i = 0; i < calls.length; i++) answers[i] = useTool(calls[i], tools, signal, more);
      for (let i = 0; i < answers.length; i++) messages[messages.length] = await answers[i];
      if (signal?.aborted) throw signal.reason;
    }
    throw new Error(`chidori.prompt: the model still asked for tools after ${turns} turn${turns === 1 ? "" : "s"}; maxTurns allows more`);
  };

  const useTool = async ({ id, name, input, invalid }, tools, signal, more) => {
    const answer = { role: "tool", id, name };
    try {
      if (invalid !== undefined) throw new Error(invalid);
      let offered = false;
      for (let i = 0; i < tools.length; i++) offered ||= tools[i] === name;
      if (!offered) throw new Error(`Unknown tool: ${name} (available: ${join(tools, ", ")})`);
      const result = await call("tool", { name, kwargs: input }, undefined, signal, more);
      answer.content = typeof result === "string" ? result : toJson(result, "result");
    } catch (error) {
      answer.content = `Error: ${error?.message}`; // an agent may abort with any reason
      answer.is_error = true;
    }
    return answer;
  };

  const methods = {
    prompt(text, opts) {
      const args = { text: requireString(text, "chidori.prompt: the prompt") };
      const signal = takeOptions("prompt", opts, promptOptions, args);
      if (args.format !== undefined && args.format !== "json" && args.format !== "text") wrong(`chidori.prompt: format must be "json" or "text", not "${args.format}"`);
      const { tools, max_turns: turns = 10, ...asked } = args;
      if (tools === undefined || tools.length === 0) return call("prompt", asked, methods.prompt, signal);
      return useTools({ ...asked, tools, max_turns: turns }, signal, { stack: agentStack(methods.prompt) });
    },

    input(prompt, opts) {
      const args = { prompt: requireString(prompt, "chidori.input: the question"), type: null, choices: null, default: null };
      return call("input", args, methods.input, takeOptions("input", opts, inputOptions, args));
    },

    http(url, opts) {
      const args = { url: `${url}`, method: "GET", headers: {}, body: null, params: {} };
      return call("http", args, methods.http, takeOptions("http", opts, httpOptions, args));
    },

    template(template, vars = {}) {
      requireString(template, "chidori.template: the template");
      if (!isObject(vars)) wrong("chidori.template: the variables must be an object");
      return call("template", { template, vars }, methods.template);
    },

    memory(action, ...rest) {
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
      return call("memory", args, methods.memory, takeOptions("memory", opts, memoryOptions, args));
    },

    checkpoint(label, data = null) {
      return call("checkpoint", { label: requireString(label, "chidori.checkpoint: the label"), data }, methods.checkpoint);
    },

    log(message, fields) {
      const args = { message: typeof message === "string" ? message : toJson(message, "message") };
      if (fields !== undefined) args.fields = fields;
      return call("log", args, methods.log);
    },

    env(name, opts) {
      const args = { name: requireString(name, "chidori.env: the name") };
      return call("env", args, methods.env, takeOptions("env", opts, envOptions, args));
    },

    async retry(fn, opts) {
      if (typeof fn !== "function") wrong("chidori.retry: the first argument must be a function");
      const { attempts = 3, delayMs = 250, backoff = "exponential" } = opts ?? {};
      const signal = takeOptions("retry", opts, retryOptions, {});
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
          await sleep(trunc(delayMs * factor), signal);
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

    tool(name, args = {}, opts) {
      requireString(name, "chidori.tool: the name");
      if (!isObject(args)) wrong("chidori.tool: the arguments must be an object");
      return call("tool", { name, kwargs: args }, methods.tool, takeOptions("tool", opts, noOptions, {}));
    },

    callAgent(path, input = {}, opts) {
      requireString(path, "chidori.callAgent: the path");
      return call("call_agent", { path, input }, methods.callAgent, takeOptions("callAgent", opts, noOptions, {}));
    },

    parallel(thunks, opts) {
      if (!isArray(thunks)) wrong("chidori.parallel: the first argument must be an array of functions");
      const taken = []; // the agent may use its array for the next batch while this one runs
      for (let i = 0; i < thunks.length; i++) {
        const thunk = thunks[i];
        if (typeof thunk !== "function") {
          wrong(isPromise(thunk)
            ? `chidori.parallel: item ${i} is a promise, which runs already; write () => … around it`
            : `chidori.parallel: item ${i} is not a function but ${inspect(thunk)}`);
        }
        taken[i] = thunk;
      }
      const given = { concurrency: null, settle: false, isolate: true };
      const signal = takeOptions("parallel", opts, parallelOptions, given);
      if (!given.isolate) return untilAborted(together(taken, given, signal), signal);
      const args = { count: taken.length, concurrency: given.concurrency };
      if (!given.settle) return call("parallel", args, methods.parallel, signal, { thunks: taken });
      args.settle = true;
      const convert = (outcomes, toError) => {
        for (let i = 0; i < outcomes.length; i++) {
          if (outcomes[i].status === "rejected") outcomes[i].reason = toError(outcomes[i].reason);
        }
        return outcomes;
      };
      return call("parallel", args, methods.parallel, signal, { thunks: taken, convert });
    },

    execJs(source, opts) {
      const args = { source: requireString(source, "chidori.execJs: the source"), input: null };
      return call("exec_js", args, methods.execJs, takeOptions("execJs", opts, execJsOptions, args));
    },

    execPython(source, opts) {
      const args = { source: requireString(source, "chidori.execPython: the source"), input: null };
      return call("exec_python", args, methods.execPython, takeOptions("execPython", opts, execPythonOptions, args));
    },

    execWasm(source, opts) {
      const args = { source: requireString(source, "chidori.execWasm: the module"), args: [] };
      const signal = takeOptions("execWasm", opts, execWasmOptions, args);
      if (args.function === undefined) wrong("chidori.execWasm: option \"function\" is missing: the name of an exported function");
      for (let i = 0; i < args.args.length; i++) args.args[i] = wasmArgument(args.args[i]);
      return call("exec", args, methods.execWasm, signal);
    },
  };

  __prelude.useTools = useTools;
  __prelude.chidori = freeze(rejecting(methods));
})(TypeError, Error, AbortSignal, Promise);
