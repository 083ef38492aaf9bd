import type { BodyReader, FetchResponse } from "./fetching.js";

/** One frame of a `text/event-stream`. */
export interface Frame {
  /** The frame's own id; `undefined` when it has none. */
  id: string | undefined;
  event: string;
  data: string;
}

/** Nothing came for so long that the connection must be dead; servers send a comment every 15 s. */
export class SilentStream extends Error {}

/**
 * The frames of a body as they arrive; what breaks off in the middle of a frame is not given. Leaving the loop closes
 * the connection. Throws {@link SilentStream} after `idleMs` without a byte, and whatever the body's reader throws.
 */
export async function* framesOf(response: FetchResponse, idleMs: number): AsyncGenerator<Frame, void, undefined> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const parser = new FrameParser();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, idleMs);
      if (done || value === undefined) return;
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Of a body that failed, the reader tells here once more what it told before.
    await reader.cancel().catch(() => undefined);
  }
}

async function readWithin(reader: BodyReader, idleMs: number): ReturnType<BodyReader["read"]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SilentStream(`nothing came for ${idleMs / 1000} s`)), idleMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Collects text into lines and lines into frames. */
export class FrameParser {
  #rest = "";
  #id: string | undefined;
  #event = "message";
  #data: string[] = [];

  /** The frames that `text` completes. */
  *feed(text: string): Generator<Frame, void, undefined> {
    // Only new text is searched: a frame of many chunks must not cost the square of its length.
    let end = text.indexOf("\n");
    let start = 0;
    while (end >= 0) {
      const line = this.#rest + text.slice(start, end);
      this.#rest = "";
      start = end + 1;
      end = text.indexOf("\n", start);
      const frame = this.#take(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (frame !== undefined) yield frame;
    }
    this.#rest += text.slice(start);
  }

  #take(line: string): Frame | undefined {
    if (line === "") return this.#finish();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id") this.#id = value;
    return undefined;
  }

  #finish(): Frame | undefined {
    const frame = { id: this.#id, event: this.#event, data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#id = undefined;
    this.#event = "message";
    this.#data = [];
    return empty ? undefined : frame;
  }
}
