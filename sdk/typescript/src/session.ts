import type { Checkpoint } from "./checkpoint.js";
import type { AgentClient } from "./client.js";
import type { EventStream } from "./event_stream.js";
import type {
  AnswerOptions,
  AttachOptions,
  BranchOptions,
  CancelOptions,
  ContinueOptions,
  RequestOptions,
} from "./options.js";
import type {
  PendingApproval,
  Question,
  SessionStatus,
  WireCancellation,
  WireSession,
  WireSessionSummary,
} from "./wire.js";

/** A session as the server saw it when it answered. Methods ask the server and give new objects; this one stays. */
export class Session {
  readonly id: string;
  readonly runId: string;
  readonly status: SessionStatus;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: string | null;
  readonly callCount: number;
  /** Every open question, oldest first; the fields that begin with `pending` are of the oldest. */
  readonly pending: Question[];
  readonly pendingSeq: number | null;
  readonly pendingPrompt: string | null;
  readonly pendingDetails: unknown;
  readonly pendingApproval: PendingApproval | null;
  readonly createdAt: string;
  readonly raw: WireSession;
  readonly #client: AgentClient;

  constructor(client: AgentClient, raw: WireSession) {
    this.#client = client;
    this.id = raw.id;
    this.runId = raw.run_id;
    this.status = raw.status;
    this.input = raw.input;
    this.output = raw.output;
    this.error = raw.error;
    this.callCount = raw.call_count;
    this.pending = raw.pending ?? [];
    this.pendingSeq = raw.pending_seq;
    this.pendingPrompt = raw.pending_prompt;
    this.pendingDetails = raw.pending_details;
    this.pendingApproval = raw.pending_approval;
    this.createdAt = raw.created_at;
    this.raw = raw;
  }

  /** The session as it is now. */
  refresh(options?: RequestOptions): Promise<Session> {
    return this.#client.getSession(this.id, options);
  }

  /** The session once it does not run any more: ended, or paused. */
  wait(options?: RequestOptions): Promise<Session> {
    return this.#client.wait(this.id, options);
  }

  /** Its events from the beginning, or behind `after`. */
  events(options?: AttachOptions): EventStream {
    return this.#client.attach(this.id, options);
  }

  checkpoint(options?: RequestOptions): Promise<Checkpoint> {
    return this.#client.getCheckpoint(this.id, options);
  }

  resume(response: string, options?: AnswerOptions): Promise<Session> {
    return this.#client.resume(this.id, response, options);
  }

  approve(allow: boolean, options?: AnswerOptions): Promise<Session> {
    return this.#client.approve(this.id, allow, options);
  }

  retry(options?: ContinueOptions): Promise<Session> {
    return this.#client.retry(this.id, options);
  }

  cancel(options?: CancelOptions): Promise<Cancellation> {
    return this.#client.cancel(this.id, options);
  }

  branch(at: number, options?: BranchOptions): Promise<Session> {
    return this.#client.branch(this.id, at, options);
  }

  replay(options?: RequestOptions): Promise<Session> {
    return this.#client.replay(this.id, options);
  }
}

/** A session in a list. */
export interface SessionSummary {
  id: string;
  runId: string;
  status: SessionStatus;
  error: string | null;
  createdAt: string;
  pendingPrompt: string | null;
  raw: WireSessionSummary;
}

export function toSummary(raw: WireSessionSummary): SessionSummary {
  const { id, run_id, status, error, created_at, pending_prompt } = raw;
  return { id, runId: run_id, status, error, createdAt: created_at, pendingPrompt: pending_prompt, raw };
}

/** What became of a `cancel`. */
export interface Cancellation {
  id: string;
  status: "cancelled";
  /** Whether the run was at work when it was stopped. */
  active: boolean;
  attemptNumber: number | null;
  reason: string | null;
  raw: WireCancellation;
}

export function toCancellation(raw: WireCancellation): Cancellation {
  const { id, status, active, attempt_number, reason } = raw;
  return { id, status, active, attemptNumber: attempt_number, reason, raw };
}
