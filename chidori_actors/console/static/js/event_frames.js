/** Reads server-sent events: frames of `id:`, `event:` and `data:` lines that an empty line ends. */

import { ApiError, isAbort } from "./api_error.js";

/**
 * The events of a response.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{id: string, event: string, data: string}, void>}
 * @throws {ApiError} status 0: the connection broke
 */
export async function* frames(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(broken);
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = /** @type {string} */ (blocks.pop());
      for (const block of blocks) {
        const frame = parsed(block);
        if (frame.data) yield frame;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * @param {string} block
 * @returns {{id: string, event: string, data: string}}
 */
function parsed(block) {
  const frame = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(id|event|data): ?(.*)$/s.exec(line) ?? [];
    if (name === "data") frame.data += (frame.data && "\n") + value;
    else if (name === "id" || name === "event") frame[name] = value;
  }
  return frame;
}

/**
 * @param {unknown} fault
 * @returns {never}
 */
function broken(fault) {
  throw isAbort(fault) ? fault : new ApiError(0, "The connection to the server broke.");
}
