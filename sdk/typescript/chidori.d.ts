/**
 * What durable agents and their tools are written against.
 *
 * Everything an agent does to the world is a call of {@link Chidori}. It is recorded before the agent sees its result,
 * so a run can be replayed without a model, paused for a person, and continued after a crash. Arguments and results are
 * JSON: `NaN`, `Infinity`, functions, `Date`, `Map` and cycles are refused.
 *
 * Type parameters of results, as in `chidori.prompt<Plan>(…)`, are not checked when the agent runs.
 */

/** Ends the wait for a call early: the call is cancelled, and its promise rejects with the signal's reason. */
export interface Abortable {
  signal?: AbortSignal;
}

export interface PromptOptions extends Abortable {
  /** Label of the streamed text, for readers of the stream: `"progress"`, `"draft"`, `"subagent"`, `"final"`, … */
  type?: string;
  /** The model, as litellm names it; otherwise the run's. */
  model?: string;
  system?: string;
  /** The most tokens the reply may have. */
  maxTokens?: number;
  /** The same as `maxTokens`. */
  max_tokens?: number;
  temperature?: number;
  /** `"json"`: the reply is parsed, and the promise rejects when it is not JSON. */
  format?: "text" | "json";
  /** With `format: "json"`; `false` gives a reply that is not JSON as its text. */
  strict?: boolean;
  /**
   * Names of tools that the model may call. Those of one turn run side by side, each as an actor of its own; a call
   * that fails or has wrong arguments goes back to the model as an error.
   */
  tools?: string[];
  /** The most turns of the tool loop (10). The promise rejects when the model still asks for tools after the last. */
  maxTurns?: number;
  /** The same as `maxTurns`. */
  max_turns?: number;
}

export interface InputOptions extends Abortable {
  /** Kind of the question, for whoever shows it, such as `"approval"`. */
  type?: string;
  /** The only answers that are taken. */
  choices?: string[];
  /** The answer when nobody is there to give one. Without it the run pauses. */
  default?: string;
}

export interface ParallelOptions extends Abortable {
  /** How many branches run at once; otherwise all. */
  concurrency?: number;
  /** Wait for every branch and give how each ended, instead of rejecting with the first failure. */
  settle?: boolean;
  /** `false` runs the functions in the agent's own VM: shared variables, still recorded, no branches. */
  isolate?: boolean;
}

/** How a branch ended. `reason` of a branch that is an actor of its own has the message `branch N: …`. */
export type Settled<T> = { status: "fulfilled"; value: T } | { status: "rejected"; reason: Error };

/** An error that `parallel` rejects with: which branch failed, from 0. */
export interface BranchError extends Error {
  branch: number;
}

export interface HttpOptions extends Abortable {
  /** `"GET"` unless it is given. */
  method?: string;
  headers?: Record<string, string>;
  /** Added to the URL. */
  query?: Record<string, unknown>;
  /** The same as `query`. */
  params?: Record<string, unknown>;
  /** A string is sent as it is, everything else as JSON. */
  body?: unknown;
  /** The same as `body`. */
  json?: unknown;
  /** Milliseconds to wait for the whole answer (30,000). */
  timeoutMs?: number;
  /** Basic authentication. */
  auth?: { user: string; password: string };
}

/** An answer, whatever its status; `status` 0 and `error` when there was none. */
export interface HttpResponse<Body = unknown> {
  status: number;
  /** By lower-case names. */
  headers: Record<string, string>;
  /** The parsed value of a JSON answer, otherwise text. */
  body: Body;
  error?: string;
}

export interface MemoryOptions extends Abortable {
  /** `"default"` unless it is given. */
  namespace?: string;
}

export interface MemoryRangeOptions extends MemoryOptions {
  /** Only the keys that begin with it. */
  prefix?: string;
}

export interface EnvOptions extends Abortable {
  /** Gives the value itself instead of a placeholder; a policy rule has to allow it. */
  reveal?: boolean;
}

/** Bounds of code that nobody trusts. Beyond one, the promise rejects with a {@link SandboxError} that names it. */
export interface SandboxOptions extends Abortable {
  /** What the source has as `input`. */
  input?: unknown;
  /** Milliseconds that it may run (10,000; at most 600,000). */
  timeoutMs?: number;
  /** Megabytes that it may use (64). */
  memoryMb?: number;
}

export interface ExecPythonOptions extends SandboxOptions {
  /**
   * `"monty"`: an interpreter made for code of models, in milliseconds. `"cpython"`: CPython with NumPy and pandas, which
   * has to be installed (`chidori-actors[cpython]`) and may use 1,024 MB unless `memoryMb` says less or more.
   */
  runtime?: "monty" | "cpython";
}

export interface ExecWasmOptions extends Abortable {
  /** Name of the exported function. */
  function: string;
  /** Its arguments. What JSON numbers cannot carry may be a `bigint`, or an integer written as text. */
  args?: (number | bigint | string)[];
  /** How many pages of 64 KB its memory may have (256). */
  memoryPages?: number;
  /** How many instructions it may execute, about (1,000,000,000). */
  fuel?: number;
  /** Milliseconds that it may run (10,000; at most 600,000). */
  timeoutMs?: number;
}

export interface WasmResult {
  /** What the function gave back; integers beyond 2^53, `NaN` and the infinities as texts. */
  returns: (number | string)[];
  fuel_remaining: number;
}

/** An error that `execJs`, `execPython` and `execWasm` reject with when the source is at fault. */
export interface SandboxError extends Error {
  name: "SandboxError";
  /** The bound that it went beyond. */
  bound?: "timeoutMs" | "memoryMb" | "memoryPages" | "fuel" | "output" | "stack";
  /** The class of the error that it threw. */
  thrown?: string;
  /** Where in the source, from 1. */
  line?: number;
  column?: number;
}

export interface RetryOptions {
  /** How often the function is called at most (3). */
  attempts?: number;
  /** Milliseconds before the second attempt (250). */
  delayMs?: number;
  /** How the wait grows (`"exponential"`). */
  backoff?: "constant" | "linear" | "exponential";
  /** Ends the waiting between two attempts. */
  signal?: AbortSignal;
}

export type Attempt<T> = { ok: true; value: T } | { ok: false; error: string };

/** The host object: everything an agent or a tool can do to the world. */
export interface Chidori {
  /** Asks a model. Gives the reply's text; with `tools`, the text that the model ends with. */
  prompt<T = unknown>(text: string, options: PromptOptions & { format: "json" }): Promise<T>;
  prompt(text: string, options?: PromptOptions & { format?: "text" }): Promise<string>;

  /** Asks a person. When nobody is there, the run pauses, and goes on in `chidori resume`. */
  input(question: string, options?: InputOptions): Promise<string>;

  /** Calls a tool of `tools/` or of an MCP server (`server__tool`). Rejects when `args` break the tool's schema. */
  tool<T = unknown>(name: string, args?: object, options?: Abortable): Promise<T>;

  /**
   * Runs another agent file as an actor of its own and gives what it returns. The path is seen from the calling file,
   * then from the folder of the run's agent.
   */
  callAgent<T = unknown>(path: string, input?: unknown, options?: Abortable): Promise<T>;

  /**
   * Runs functions side by side, each in a branch: a durable actor that starts as a copy of this VM. Gives the results
   * in order, or rejects with the first failure ({@link BranchError}) and cancels the other branches.
   *
   * A branch is a copy. It sees every variable as it is now, but what it changes in shared variables stays in the
   * branch: return it instead.
   *
   * ```ts
   * const found: string[] = [];
   * await chidori.parallel(urls.map((url) => async () => { found.push(await read(url)); }));
   * // found is still empty here
   *
   * const read = await chidori.parallel(urls.map((url) => () => read(url))); // this is how
   * ```
   *
   * What a branch returns is JSON.
   */
  parallel<T extends readonly (() => unknown)[] | []>(
    thunks: T,
    options: ParallelOptions & { settle: true },
  ): Promise<{ -readonly [K in keyof T]: Settled<Returned<T[K]>> }>;
  parallel<T extends readonly (() => unknown)[] | []>(
    thunks: T,
    options?: ParallelOptions & { settle?: false },
  ): Promise<{ -readonly [K in keyof T]: Returned<T[K]> }>;

  /**
   * One HTTP request. Does not reject for an error status, nor when there is no answer: then `status` is 0, and `error`
   * says why. POST and the like carry an `Idempotency-Key`.
   */
  http<Body = unknown>(url: string | URL, options?: HttpOptions): Promise<HttpResponse<Body>>;

  /** Renders a Jinja template: a path below the agent's folder, or the template itself. */
  template(template: string, variables?: Record<string, unknown>): Promise<string>;

  /** Memory belongs to the project: every run on the same store shares it. A key that is not there gives `null`. */
  memory<T = unknown>(action: "get", key: string, options?: MemoryOptions): Promise<T | null>;
  memory(action: "set", key: string, value: unknown, options?: MemoryOptions): Promise<null>;
  /** Whether the key was there. */
  memory(action: "delete", key: string, options?: MemoryOptions): Promise<boolean>;
  memory<T = unknown>(
    action: "list",
    options: MemoryRangeOptions & { values: true },
  ): Promise<{ key: string; value: T }[]>;
  /** The keys in order. */
  memory(action: "list", options?: MemoryRangeOptions & { values?: false }): Promise<string[]>;
  /** How many there were. */
  memory(action: "clear", options?: MemoryRangeOptions): Promise<number>;

  /** Marks a place in the record. */
  checkpoint(label: string, data?: unknown): Promise<null>;

  log(message: unknown, fields?: unknown): Promise<null>;

  /** A placeholder for an environment variable, which `http` and MCP tools fill in as they send. */
  env(name: string, options?: EnvOptions): Promise<string>;

  /**
   * Runs JavaScript that nobody trusts in a VM of its own, without any host: `source` is an expression or the body of an
   * async function that has `input`. Gives its value, which is JSON. No timers, no network, a clock that stands still.
   */
  execJs<T = unknown>(source: string, options?: SandboxOptions): Promise<T>;

  /** Runs Python that nobody trusts: gives the value of its variable `result`, or of its last expression. */
  execPython<T = unknown>(source: string, options?: ExecPythonOptions): Promise<T>;

  /**
   * Calls a function of a WebAssembly module that nobody trusts, given as base64 or in the text format. It may import
   * `host.log(pointer, length)` and nothing else.
   */
  execWasm(source: string, options: ExecWasmOptions): Promise<WasmResult>;

  /** Calls `fn` until it succeeds; rejects with the error of the last attempt. */
  retry<T>(fn: (attempt: number) => T | Promise<T>, options?: RetryOptions): Promise<T>;

  /** Gives an error as a value instead of throwing it. */
  tryCall<T>(fn: () => T | Promise<T>): Promise<Attempt<T>>;
}

/** What a function gives, its promise awaited. */
export type Returned<F> = F extends () => infer R ? Awaited<R> : never;

/** A JSON Schema. */
export type JsonSchema = { [keyword: string]: unknown };

/** The metadata that a tool file exports as `tool`, beside its `run(args, chidori)`. Read in a VM without a host. */
export interface ToolDefinition {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`, without two underscores in a row. */
  name: string;
  /** What it does and when to use it: models choose a tool by it. */
  description: string;
  /** Checked before `run` is called, and sent to the model as it stands. Without it no argument is described. */
  parameters?: { type: "object"; properties?: Record<string, JsonSchema>; required?: string[] } & JsonSchema;
  /** What its host on a cluster must have: CPUs and GPUs of its own, and resources that the cluster names itself. */
  resources?: { cpus?: number; gpus?: number; custom?: Record<string, number> };
}

/** The same object that `agent` and `run` are given. */
export declare const chidori: Chidori;
