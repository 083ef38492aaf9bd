/** What a request came to: an answer with an error status, or none. */
export interface Failure {
  /** What happened, in the server's words where it has any. */
  detail: string;
  /** `METHOD URL` of the request. */
  request: string;
  /** The HTTP status; 0 when there was no answer. */
  status: number;
  /** The answer's body: parsed JSON, otherwise text; `undefined` when there was none. */
  body?: unknown;
  /** How to get out of it. */
  hint?: string | undefined;
  cause?: unknown;
}

/** Everything that goes wrong between client and server, apart from an abort, which throws the signal's reason. */
export class ClientError extends Error {
  readonly detail: string;
  readonly request: string;
  readonly status: number;
  readonly body: unknown;
  readonly hint: string | undefined;

  constructor({ detail, request, status, body, hint, cause }: Failure) {
    const place = status === 0 ? request : `${status}, ${request}`;
    super(`${detail} (${place})${hint === undefined ? "" : `; ${hint}`}`, { cause });
    this.name = new.target.name;
    this.detail = detail;
    this.request = request;
    this.status = status;
    this.body = body;
    this.hint = hint;
  }
}

/** 400, 413 and 422: the server does not take what the request says. Status 0: it cannot be sent, and nothing was. */
export class InvalidError extends ClientError {}

/** 401 and 403: the API key is missing or wrong. */
export class UnauthorizedError extends ClientError {}

/** 404: there is no such session, or no such file. */
export class NotFoundError extends ClientError {}

/** 409: the session is not in a state for it, or what it was made with has changed. */
export class ConflictError extends ClientError {}

/** 503: the server has no room now; nothing was started. */
export class ServerBusyError extends ClientError {
  /** How long the server asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(failure: Failure, retryAfterMs: number | undefined) {
    super(failure);
    this.retryAfterMs = retryAfterMs;
  }
}

/** There was no answer, or it broke off: the server may or may not have done what was asked. */
export class ConnectionFailedError extends ClientError {
  /** The request went out, and whoever carries it gave up waiting for the answer. */
  readonly silent: boolean;

  constructor(failure: Omit<Failure, "status">, silent = false) {
    super({ ...failure, status: 0 });
    this.silent = silent;
  }
}

const GATEWAY_STATUSES = [429, 502, 504];

/** Whether the same request may well succeed a little later. */
export function isTransient(error: unknown): error is ClientError {
  if (error instanceof ConnectionFailedError) return !error.silent;
  return error instanceof ServerBusyError || (error instanceof ClientError && GATEWAY_STATUSES.includes(error.status));
}

/** The error for an answer with an error status. `retryAfter` is the header of that name. */
export function errorOfStatus(failure: Failure, retryAfter: string | null): ClientError {
  switch (failure.status) {
    case 400:
    case 413:
    case 422:
      return new InvalidError(failure);
    case 401:
    case 403:
      return new UnauthorizedError({ ...failure, hint: "pass apiKey, or set CHIDORI_API_KEY" });
    case 404:
      return new NotFoundError(failure);
    case 409:
      return new ConflictError(failure);
    case 503:
      return new ServerBusyError(failure, milliseconds(retryAfter));
    default:
      return new ClientError(failure);
  }
}

/** `Retry-After` is seconds or a date. */
function milliseconds(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const at = Date.parse(retryAfter);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
