import { ClientError, ConnectionFailedError, errorOfStatus, isTransient, type Failure } from "./errors.js";
import type { Fetch, FetchInit, FetchResponse } from "./fetching.js";
import { bodyText } from "./sending.js";
import { delay, retryDelayMs } from "./waiting.js";

/** A request, from below the server's address. */
export interface Call {
  method: "GET" | "POST";
  path: string;
  query?: Record<string, string | number | undefined>;
  /** An object, sent as JSON. */
  body?: object | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Whether sending it again does no harm. */
  repeatable?: boolean;
}

export interface TransportOptions {
  baseUrl: string;
  apiKey: string | undefined;
  fetch: Fetch;
  retries: number;
}

const EXCERPT_LENGTH = 200;
const WRONG_SERVER = "is this the address of a Chidori server?";

/** Sends requests, gives parsed answers, and makes errors of everything else. */
export class Transport {
  readonly #base: string;
  readonly #apiKey: string | undefined;
  readonly #fetch: Fetch;
  readonly #retries: number;

  constructor({ baseUrl, apiKey, fetch, retries }: TransportOptions) {
    this.#base = checkedBase(baseUrl);
    this.#apiKey = apiKey;
    this.#fetch = fetch;
    this.#retries = retries;
  }

  /** `METHOD URL`, for messages. */
  describe(call: Call): string {
    return `${call.method} ${this.#url(call)}`;
  }

  /** The parsed answer, an object that has the field `required`. Repeats what is repeatable. */
  async json<T extends object>(call: Call, required: keyof T & string): Promise<T> {
    return this.#repeating(call, async () => this.#parse<T>(call, await this.#answer(call), required));
  }

  /** The answer as it was sent, JSON as of `json`. */
  async text(call: Call, required: string): Promise<string> {
    return this.#repeating(call, async () => {
      const answer = await this.#answer(call);
      this.#parse(call, answer, required);
      return answer.text;
    });
  }

  async #repeating<T>(call: Call, once: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await once();
      } catch (error) {
        const wait = retryDelayMs(attempt, error);
        if (!call.repeatable || attempt >= this.#retries || !isTransient(error) || wait === undefined) throw error;
        await delay(wait, call.signal);
      }
    }
  }

  /** The answer with its body unread, an event stream. Never repeated here: whoever reads on knows from where. */
  async stream(call: Call): Promise<FetchResponse> {
    const response = await this.#open(call, "text/event-stream");
    const type = response.headers.get("content-type") ?? "nothing";
    if (type.startsWith("text/event-stream")) return response;
    await response.body?.getReader().cancel();
    throw this.#unexpected(call, response.status, `the answer is ${type}, not an event stream`, undefined);
  }

  async #answer(call: Call): Promise<{ status: number; text: string }> {
    const response = await this.#open(call, "application/json");
    return { status: response.status, text: await this.#body(call, response) };
  }

  async #open(call: Call, accept: string): Promise<FetchResponse> {
    const headers: Record<string, string> = { accept, ...call.headers };
    if (this.#apiKey !== undefined) headers["authorization"] = `Bearer ${this.#apiKey}`;
    const init: FetchInit = { method: call.method, headers };
    if (call.body !== undefined) {
      init.body = bodyText(call.body);
      headers["content-type"] = "application/json";
    }
    if (call.signal !== undefined) init.signal = call.signal;
    let response: FetchResponse;
    try {
      response = await this.#fetch(this.#url(call), init);
    } catch (error) {
      throw this.failed(call, error);
    }
    if (!response.ok) throw await this.#refused(call, response);
    return response;
  }

  /** The error for a connection that could not be made or broke off; the reason of an abort as it is. */
  failed(call: Call, error: unknown): unknown {
    if (call.signal?.aborted) return call.signal.reason;
    const { message, code } = rootOf(error);
    const silent = code === "UND_ERR_HEADERS_TIMEOUT";
    const refused = code === "ECONNREFUSED";
    const hint = refused ? "is the server running there? `chidori serve FILE` starts one" : undefined;
    const detail = `the connection failed: ${message}`;
    return new ConnectionFailedError({ detail, request: this.describe(call), hint, cause: error }, silent);
  }

  async #body(call: Call, response: FetchResponse): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.failed(call, error);
    }
  }

  async #refused(call: Call, response: FetchResponse): Promise<ClientError> {
    const text = await this.#body(call, response);
    const body = parsed(text);
    const failure: Failure = { detail: "", request: this.describe(call), status: response.status, body: body ?? text };
    if (isObject(body) && typeof body["error"] === "string") {
      failure.detail = body["error"];
    } else {
      const said = excerpt(text);
      failure.detail = said === "" ? "an error without a text" : `an error that is not the API's: ${said}`;
      failure.hint = WRONG_SERVER;
    }
    return errorOfStatus(failure, response.headers.get("retry-after"));
  }

  #parse<T extends object>(call: Call, { status, text }: { status: number; text: string }, required: string): T {
    const value = parsed(text);
    if (value === undefined) throw this.#unexpected(call, status, `the answer is not JSON: ${excerpt(text)}`, text);
    if (!isObject(value) || !(required in value)) {
      throw this.#unexpected(call, status, `the answer has no "${required}": ${excerpt(text)}`, value);
    }
    return value as T;
  }

  #unexpected(call: Call, status: number, detail: string, body: unknown): ClientError {
    return new ClientError({ detail, request: this.describe(call), status, body, hint: WRONG_SERVER });
  }

  #url({ path, query = {} }: Call): string {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return `${this.#base}${path}${search === "" ? "" : `?${search}`}`;
  }
}

function checkedBase(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`AgentClient: "${baseUrl}" is not an address such as http://127.0.0.1:8080`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("AgentClient: the address must not contain a user or password; pass apiKey instead");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** `fetch` of Node says why at the end of a chain of causes. */
function rootOf(error: unknown): { message: string; code: string | undefined } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  const code = isObject(root) && typeof root["code"] === "string" ? root["code"] : undefined;
  const message = root instanceof Error && root.message !== "" ? root.message : (code ?? String(root));
  return { message, code };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function excerpt(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > EXCERPT_LENGTH ? `${line.slice(0, EXCERPT_LENGTH)}…` : line;
}
