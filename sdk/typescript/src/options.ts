import type { Fetch } from "./fetching.js";
import type { SessionStatus } from "./wire.js";

export interface ClientOptions {
  /** Otherwise the environment's CHIDORI_API_KEY, where there is an environment. */
  apiKey?: string;
  /** Instead of the global `fetch`. */
  fetch?: Fetch;
  /** How often a request that does no harm twice is repeated after a failed connection or a busy server (3). */
  retries?: number;
  /** How long to try to get a lost event stream back, in milliseconds (30,000). */
  reattachMs?: number;
  /** An event stream that is silent for so many milliseconds is taken for lost (60,000). */
  idleMs?: number;
}

export interface RequestOptions {
  /** Ends the request; the promise rejects with the signal's reason. It does not stop the run: `cancel` does. */
  signal?: AbortSignal;
}

export interface RunOptions extends RequestOptions {
  /** Otherwise the client makes one up. One that exists is a `ConflictError`. */
  sessionId?: string;
  /** An agent file beside the served one, such as `"child.ts"`. */
  agent?: string;
  /**
   * `"untrusted"` denies http, tools, exec and env besides what the server's policy denies; `"supervised"` pauses before
   * those of them that it allows, to be approved; `"trusted"` changes nothing.
   */
  policyProfile?: "trusted" | "supervised" | "untrusted";
  /** The same key gives the same session, also from another process. */
  idempotencyKey?: string;
}

export interface StartOptions extends RunOptions {
  /** `false`: return as soon as the session is stored, while it runs. */
  wait?: boolean;
}

/** `after`: the id of the last event that is known already. */
export interface AttachOptions extends RequestOptions {
  after?: number;
}

export interface ContinueOptions extends RequestOptions {
  /** Goes on with the files on disk although they have changed; the run is replayed and stops where it diverges. */
  allowSourceChange?: boolean;
}

export interface AnswerOptions extends ContinueOptions {
  /** Which of several open questions; otherwise the oldest. */
  seq?: number;
}

export interface BranchOptions extends RequestOptions {
  /** What the call answers in the new history, any JSON value… */
  result?: unknown;
  /** …or what it fails with. */
  error?: string;
  note?: string;
}

export interface CancelOptions extends RequestOptions {
  reason?: string;
}

export interface ListOptions extends RequestOptions {
  status?: SessionStatus;
  /** How many at most; otherwise all. */
  limit?: number;
}
