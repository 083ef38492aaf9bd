import { ClientError, ConflictError, ConnectionFailedError, isTransient, NotFoundError } from "./errors.js";
import type { AgentEvent } from "./events.js";
import type { FetchResponse } from "./fetching.js";
import { framesOf, type Frame } from "./frames.js";
import { sessionPath } from "./sending.js";
import type { Call, Transport } from "./transport.js";
import { delay, Patience } from "./waiting.js";

export interface EventStreamOptions {
  transport: Transport;
  sessionId: string;
  /** The request that starts the session; without it the session is there already. */
  start?: Call;
  /** `start` carries an idempotency key of the caller's, so that the session may have another id than `sessionId`. */
  keyed?: boolean;
  after?: number | undefined;
  signal?: AbortSignal | undefined;
  idleMs: number;
  reattachMs: number;
  retries: number;
}

/**
 * The events of a session, each once and in order, until `done`. A connection that drops is made again from where it
 * broke off. Iterating again goes on behind the last event, which is how to read on after a paused run was resumed.
 *
 * Throws what {@link ClientError} names; {@link ConnectionFailedError} when the connection stays away.
 */
export class EventStream implements AsyncIterable<AgentEvent> {
  readonly #options: EventStreamOptions;
  #sessionId: string;
  #lastEventId: number | undefined;
  #start: Call | undefined;
  #tried = false;
  #connected = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#sessionId = options.sessionId;
    this.#lastEventId = options.after;
    this.#start = options.start;
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  /** For `client.attach(id, { after })`: the last event that was given. */
  get lastEventId(): number | undefined {
    return this.#lastEventId;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AgentEvent, void, undefined> {
    const patience = new Patience(this.#options);
    for (;;) {
      let lost: ClientError;
      try {
        for await (const event of this.#connection(patience)) {
          patience.renew();
          yield event;
          if (event.type === "done") return;
        }
        throw this.#failed(new Error("the event stream ended before `done`"));
      } catch (error) {
        if (!isTransient(error)) throw error;
        lost = error;
      }
      const wait = patience.afterLoss(lost);
      if (wait === undefined) throw this.#final(lost);
      await delay(wait, this.#options.signal);
    }
  }

  /** The new events of one connection. */
  async *#connection(patience: Patience): AsyncGenerator<AgentEvent, void, undefined> {
    const response = await this.#connect();
    patience.connected();
    this.#connected = true;
    const frames = framesOf(response, this.#options.idleMs);
    try {
      for (;;) {
        const { done, value } = await this.#next(frames);
        if (done) return;
        const event = this.#accept(value);
        if (event !== undefined) yield event;
      }
    } finally {
      await frames.return();
    }
  }

  async #next(frames: AsyncGenerator<Frame, void, undefined>): Promise<IteratorResult<Frame, void>> {
    try {
      return await frames.next();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async #connect(): Promise<FetchResponse> {
    const start = this.#start;
    if (start === undefined) return this.#attach();
    const again = this.#tried;
    this.#tried = true;
    if (again) {
      // No answer came to the earlier attempt, but it may have started the session all the same.
      const running = await this.#attach().catch(unlessInstance(NotFoundError));
      if (running !== undefined) return running;
    }
    const response = await this.#options.transport
      .stream(start)
      .catch((error: unknown) => (again ? unlessInstance(ConflictError)(error) : Promise.reject(error)));
    if (!this.#options.keyed) this.#start = undefined;
    return response ?? this.#attach();
  }

  #attach(): Promise<FetchResponse> {
    return this.#options.transport.stream(this.#attachment());
  }

  #attachment(): Call {
    const path = `${sessionPath(this.#sessionId)}/stream`;
    const headers: Record<string, string> = {};
    if (this.#lastEventId !== undefined) headers["last-event-id"] = String(this.#lastEventId);
    return { method: "GET", path, headers, signal: this.#options.signal };
  }

  #failed(error: unknown): unknown {
    const call = this.#start ?? this.#attachment();
    return this.#options.transport.failed(call, error);
  }

  /** The error of a stream that is given up: says how to read on, if there was one. */
  #final(lost: ClientError): ClientError {
    if (!this.#connected) return lost;
    const from = this.#lastEventId === undefined ? "" : `, { after: ${this.#lastEventId} }`;
    const hint = `the run does not need its listener; attach("${this.#sessionId}"${from}) reads on`;
    const { detail, request, body } = lost;
    return new ConnectionFailedError({ detail, request, body, hint, cause: lost });
  }

  /** The frame's event; `undefined` for one that was given before the connection broke. */
  #accept({ id, event: type, data }: Frame): AgentEvent | undefined {
    const event = { ...this.#parse(type, data), type } as AgentEvent;
    if (event.type === "done") {
      // `done` is made for whoever listens and is not stored: its id may be that of the next stored event.
      this.#sessionId = event.id;
      this.#start = undefined;
      return event;
    }
    const number = id === undefined ? NaN : Number(id);
    if (!Number.isSafeInteger(number)) return event;
    if (this.#lastEventId !== undefined && number <= this.#lastEventId) return undefined;
    this.#lastEventId = number;
    return event;
  }

  #parse(type: string, data: string): object {
    try {
      const value: unknown = JSON.parse(data);
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // Said below, with where it came from.
    }
    const call = this.#attachment();
    const detail = `event "${type}" is not a JSON object: ${data.slice(0, 200)}`;
    throw new ClientError({ detail, request: this.#options.transport.describe(call), status: 200, body: data });
  }
}

/** Swallows errors of one kind. */
function unlessInstance(kind: typeof NotFoundError | typeof ConflictError) {
  return (error: unknown): undefined => {
    if (!(error instanceof kind)) throw error;
  };
}
