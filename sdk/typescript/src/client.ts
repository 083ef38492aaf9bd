import { Checkpoint } from "./checkpoint.js";
import { environmentVariable } from "./environment.js";
import { ConflictError, ConnectionFailedError, NotFoundError } from "./errors.js";
import { EventStream } from "./event_stream.js";
import type { Fetch } from "./fetching.js";
import { fieldsOf } from "./json_text.js";
import type {
  AnswerOptions,
  AttachOptions,
  BranchOptions,
  CancelOptions,
  ClientOptions,
  ContinueOptions,
  ListOptions,
  RequestOptions,
  RunOptions,
  StartOptions,
} from "./options.js";
import { toSnapshotManifest, type SnapshotManifest } from "./records.js";
import { sessionPath } from "./sending.js";
import { Session, toCancellation, toSummary, type Cancellation, type SessionSummary } from "./session.js";
import { Transport, type Call } from "./transport.js";
import { uuid } from "./uuid.js";
import type {
  WireCancellation,
  WireReplay,
  WireSession,
  WireSessionPage,
  WireSnapshot,
} from "./wire.js";

const DEFAULT_URL = "http://127.0.0.1:8080";
const PAGE_SIZE = 100;

/** An agent file beside the served one. */
export interface AgentFile {
  name: string;
  default: boolean;
}

/**
 * Talks to a server that `chidori serve` has started. A run belongs to the server: a client that goes away changes
 * nothing, and another one can ask for the same session by its id.
 *
 * Every method throws a {@link ClientError}, or the reason of its `signal`. A run that fails is no error here: it is a
 * session with status `failed`.
 */
export class AgentClient {
  readonly #transport: Transport;
  readonly #streaming: { idleMs: number; reattachMs: number; retries: number };

  /** `baseUrl`: otherwise the environment's CHIDORI_URL, otherwise http://127.0.0.1:8080. */
  constructor(baseUrl?: string | URL, options: ClientOptions = {}) {
    const { retries = 3, idleMs = 60_000, reattachMs = 30_000 } = options;
    this.#transport = new Transport({
      baseUrl: String(baseUrl ?? environmentVariable("CHIDORI_URL") ?? DEFAULT_URL),
      apiKey: options.apiKey ?? environmentVariable("CHIDORI_API_KEY"),
      fetch: options.fetch ?? globalFetch,
      retries,
    });
    this.#streaming = { idleMs, reattachMs, retries };
  }

  /**
   * Runs the served agent and gives its session once it has ended or paused. A connection that fails on the way does
   * not start a second one.
   */
  async run(input: unknown = {}, options: StartOptions = {}): Promise<Session> {
    return this.#start({ input }, options);
  }

  /** Runs the served agent and gives its events as they come. The run starts with the first step of the iteration. */
  stream(input: unknown = {}, options: RunOptions = {}): EventStream {
    const { idempotencyKey, signal } = options;
    const sessionId = options.sessionId ?? uuid();
    return new EventStream({
      transport: this.#transport,
      sessionId,
      start: starting("/sessions/stream", { input }, { ...options, sessionId }),
      keyed: idempotencyKey !== undefined,
      signal,
      ...this.#streaming,
    });
  }

  /** The events of a session that is there already: from the beginning, or behind `after`. */
  attach(id: string, { after, signal }: AttachOptions = {}): EventStream {
    return new EventStream({ transport: this.#transport, sessionId: id, after, signal, ...this.#streaming });
  }

  /** Answers a question of a paused run and gives the session once it has ended or paused again. */
  resume(id: string, response: string, options: AnswerOptions = {}): Promise<Session> {
    return this.#continue(id, "resume", { response, seq: options.seq }, options);
  }

  /** Makes the call again whose error ended the run, or goes on with an interrupted one. */
  retry(id: string, options: ContinueOptions = {}): Promise<Session> {
    return this.#continue(id, "resume", { retry: true }, options);
  }

  /** Allows or denies what a policy asks about. */
  approve(id: string, allow: boolean, options: AnswerOptions = {}): Promise<Session> {
    return this.#continue(id, "approve", { decision: allow ? "allow" : "deny", seq: options.seq }, options);
  }

  /** Stops a run and everything in it. */
  async cancel(id: string, { reason, signal }: CancelOptions = {}): Promise<Cancellation> {
    const call = posting(`${sessionPath(id)}/cancel`, { reason }, signal);
    return toCancellation(await this.#transport.json<WireCancellation>(call, "id"));
  }

  /** A new session that shares the history before record `at`, has another answer there, and goes on live. */
  async branch(id: string, at: number, { result, error, note, signal }: BranchOptions = {}): Promise<Session> {
    return this.#view(posting(`${sessionPath(id)}/branch`, { at, result, error, note }, signal));
  }

  /** A new session from a record, with no call to a model: of a session by its id, or of a checkpoint. */
  async replay(source: Checkpoint | string, options: RunOptions = {}): Promise<Session> {
    if (typeof source !== "string") {
      const recorded = fieldsOf(source.text);
      return this.#start({ input: recorded.get("input"), replay_from: recorded.get("call_log") }, options);
    }
    const { signal } = options;
    const { id } = await this.#transport.json<WireReplay>(posting(`${sessionPath(source)}/replay`, undefined, signal), "id");
    return this.getSession(id, { signal });
  }

  async getSession(id: string, { signal }: RequestOptions = {}): Promise<Session> {
    return this.#view(getting(sessionPath(id), signal));
  }

  /** The session once it does not run any more: ended, or paused. */
  async wait(id: string, options: RequestOptions = {}): Promise<Session> {
    return this.#settled(await this.getSession(id, options), options);
  }

  /** The stored sessions, newest first; pages are fetched as the loop comes to them. */
  async *listSessions(options: ListOptions = {}): AsyncGenerator<SessionSummary, void, undefined> {
    const { status, limit = Infinity, signal } = options;
    let cursor: string | undefined;
    let left = limit;
    while (left > 0) {
      const query = { limit: Math.min(left, PAGE_SIZE), cursor, status };
      const page = await this.#transport.json<WireSessionPage>({ ...getting("/sessions", signal), query }, "sessions");
      yield* page.sessions.slice(0, left).map(toSummary);
      left -= page.sessions.length;
      cursor = page.next_cursor ?? undefined;
      if (cursor === undefined) return;
    }
  }

  async getCheckpoint(id: string, { signal }: RequestOptions = {}): Promise<Checkpoint> {
    const call = getting(`${sessionPath(id)}/checkpoint`, signal);
    return Checkpoint.fromJSON(await this.#transport.text(call, "call_log"));
  }

  async getSnapshotManifest(id: string, { signal }: RequestOptions = {}): Promise<SnapshotManifest> {
    const call = getting(`${sessionPath(id)}/snapshot`, signal);
    return toSnapshotManifest((await this.#transport.json<WireSnapshot>(call, "snapshot_manifest")).snapshot_manifest);
  }

  /** The agent files that `run` can be told to use. */
  async agents({ signal }: RequestOptions = {}): Promise<AgentFile[]> {
    return (await this.#transport.json<{ agents: AgentFile[] }>(getting("/agents", signal), "agents")).agents;
  }

  /** Resolves when the server answers. */
  async health({ signal }: RequestOptions = {}): Promise<void> {
    await this.#transport.json<{ status: string }>(getting("/health", signal), "status");
  }

  async #start(body: Record<string, unknown>, options: StartOptions): Promise<Session> {
    const sessionId = options.sessionId ?? uuid();
    const { wait = true, idempotencyKey = uuid(), signal } = options;
    const call = starting("/sessions", body, { ...options, sessionId, idempotencyKey });
    const headers = { ...call.headers, ...(wait ? {} : { prefer: "respond-async" }) };
    try {
      const session = await this.#view({ ...call, headers, repeatable: true });
      return wait ? await this.#settled(session, { signal }) : session;
    } catch (error) {
      // Nobody else has an id that was made up here: the session is of a request whose answer was lost.
      const ours = error instanceof ConflictError && options.sessionId === undefined;
      if (ours || isSilence(error)) return this.#waitInstead(error, sessionId, options);
      throw error;
    }
  }

  async #continue(id: string, action: string, answer: object, options: ContinueOptions): Promise<Session> {
    const body = { ...answer, allow_source_change: options.allowSourceChange };
    try {
      return await this.#view(posting(`${sessionPath(id)}/${action}`, body, options.signal));
    } catch (error) {
      if (isSilence(error)) return this.#waitInstead(error, id, options);
      throw error;
    }
  }

  async #waitInstead(error: unknown, id: string, { signal }: RequestOptions): Promise<Session> {
    try {
      return await this.wait(id, { signal });
    } catch (later) {
      throw later instanceof NotFoundError ? error : later;
    }
  }

  async #settled(session: Session, { signal }: RequestOptions): Promise<Session> {
    if (session.status !== "running") return session;
    for await (const event of this.attach(session.id, { signal })) {
      if (event.type === "done") break;
    }
    return this.getSession(session.id, { signal });
  }

  async #view(call: Call): Promise<Session> {
    return new Session(this, await this.#transport.json<WireSession>(call, "status"));
  }
}

/** Node gives an answer five minutes to begin, and a run may need longer: then its events tell when it is over. */
const isSilence = (error: unknown): boolean => error instanceof ConnectionFailedError && error.silent;

const globalFetch: Fetch = (url, init) => globalThis.fetch(url, init);

const getting = (path: string, signal: AbortSignal | undefined): Call => ({
  method: "GET",
  path,
  signal,
  repeatable: true,
});

const posting = (path: string, body: object | undefined, signal: AbortSignal | undefined): Call => ({
  method: "POST",
  path,
  body,
  signal,
});

function starting(path: string, body: Record<string, unknown>, options: RunOptions): Call {
  const { sessionId, agent, policyProfile, idempotencyKey, signal } = options;
  // One that is made up later is an id in any case.
  if (sessionId !== undefined) sessionPath(sessionId);
  const call = posting(path, { ...body, session_id: sessionId, agent, policy_profile: policyProfile }, signal);
  return idempotencyKey === undefined ? call : { ...call, headers: { "idempotency-key": idempotencyKey } };
}
