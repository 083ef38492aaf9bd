import { InvalidError } from "./errors.js";
import { JsonText } from "./json_text.js";

const SESSION_ID = /^[\p{L}\p{N}_.:-]{1,128}$/u;
/** A URL with a segment of dots is another one, and `/sessions/stream` is a route of its own. */
const OTHER_PATHS = [".", "..", "stream"];
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** The path of a session. Throws an {@link InvalidError} for what is no session's id. */
export function sessionPath(id: string): string {
  if (!SESSION_ID.test(id) || OTHER_PATHS.includes(id)) {
    throw notSent(`"${id}" is not a session id`, "an id has 1 to 128 letters, digits, or _ . : -");
  }
  return `/sessions/${encodeURIComponent(id)}`;
}

/**
 * A body as JSON; fields that are {@link JsonText} stay as they are. Throws an {@link InvalidError} for what JSON cannot
 * carry, instead of sending null for it.
 */
export function bodyText(body: object): string {
  const fields = Object.entries(body);
  const written = checkedText(Object.fromEntries(fields.filter(([, value]) => !(value instanceof JsonText))));
  const members = written === "{}" ? [] : [written.slice(1, -1)];
  for (const [name, value] of fields) {
    if (value instanceof JsonText) members.push(`${JSON.stringify(name)}:${value.text}`);
  }
  return `{${members.join(",")}}`;
}

function checkedText(body: object): string {
  const places = new WeakMap<object, string>();
  const verify = function (this: object, key: string, value: unknown): unknown {
    const above = places.get(this);
    const place = above === undefined ? "" : above + step(this, key);
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw notSent(`\`${place.replace(/^\./, "")}\` is ${value}, which JSON cannot carry`);
    }
    if (typeof value === "object" && value !== null) places.set(value, place);
    return value;
  };
  try {
    return JSON.stringify(body, verify);
  } catch (error) {
    if (error instanceof InvalidError) throw error;
    throw notSent(error instanceof Error ? error.message : String(error), undefined, error);
  }
}

function step(holder: object, key: string): string {
  if (Array.isArray(holder)) return `[${key}]`;
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function notSent(detail: string, hint?: string, cause?: unknown): InvalidError {
  return new InvalidError({ detail, request: "nothing was sent", status: 0, hint, cause });
}
