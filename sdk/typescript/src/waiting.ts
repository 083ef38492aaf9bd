import { ServerBusyError } from "./errors.js";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;
const LONGEST_RETRY_AFTER_MS = 60_000;

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const end = () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    };
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/**
 * How long to wait after failed attempt `attempt` (from 0), in milliseconds: what the server asks for, otherwise twice
 * as long each time, with some chance in it so that clients do not return all at once. `undefined`: longer than anyone
 * would wait without knowing.
 */
export function retryDelayMs(attempt: number, error: unknown): number | undefined {
  if (error instanceof ServerBusyError && error.retryAfterMs !== undefined) {
    return error.retryAfterMs > LONGEST_RETRY_AFTER_MS ? undefined : error.retryAfterMs;
  }
  const longest = Math.min(FIRST_DELAY_MS * 2 ** attempt, LONGEST_DELAY_MS);
  return longest * (0.5 + Math.random() / 2);
}

const STEADY_MS = 5_000;

export interface PatienceOptions {
  /** Attempts before there was any connection. */
  retries: number;
  /** How long a connection that was there may stay away, in milliseconds. */
  reattachMs: number;
}

/** Decides how long a lost connection is tried again. */
export class Patience {
  readonly #options: PatienceOptions;
  #failures = 0;
  #lostAt: number | undefined;
  #openedAt: number | undefined;
  #everOpened = false;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  connected(): void {
    this.#openedAt = Date.now();
    this.#everOpened = true;
  }

  /** The connection works. */
  renew(): void {
    this.#failures = 0;
    this.#lostAt = undefined;
  }

  /** Milliseconds until the next attempt; `undefined` to give up. */
  afterLoss(error: unknown): number | undefined {
    const now = Date.now();
    // A run may be silent for long: a connection that held for a while worked, too.
    if (this.#openedAt !== undefined && now - this.#openedAt > STEADY_MS) this.renew();
    this.#openedAt = undefined;
    this.#lostAt ??= now;
    const wait = retryDelayMs(this.#failures++, error);
    const { reattachMs, retries } = this.#options;
    const over = this.#everOpened ? now - this.#lostAt >= reattachMs : this.#failures > retries;
    return over ? undefined : wait;
  }
}
