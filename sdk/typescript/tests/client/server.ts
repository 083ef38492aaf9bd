/** A server on 127.0.0.1 that answers each request with the next part of a script. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { FetchResponse, WireSession } from "chidori";

export interface Received {
  /** `METHOD /path?query` */
  line: string;
  headers: IncomingHttpHeaders;
  /** The body as it was sent… */
  text: string;
  /** …and what it parses to. */
  body: any;
}

export type Part = (response: ServerResponse, received: Received) => void | Promise<void>;

export interface Scripted {
  url: string;
  received: Received[];
  lines(): string[];
}

/** Plays `parts` in order; the test fails when a part is left over or missing. */
export async function play(t: TestContext, ...parts: Part[]): Promise<Scripted> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { method, url, headers } = request;
    const got = { line: `${method} ${url}`, headers, text, body: text === "" ? undefined : JSON.parse(text) };
    received.push(got);
    const part = parts[received.length - 1] ?? json(400, { error: `the script has no answer to ${got.line}` });
    await part(response, got);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    assert.equal(received.length, parts.length, `requests: ${received.map(({ line }) => line).join(", ")}`);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, received, lines: () => received.map(({ line }) => line) };
}

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Part => (response) => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};

export const text = (status: number, body: string, type = "text/html"): Part => (response) => {
  response.writeHead(status, { "content-type": type }).end(body);
};

/** Breaks the connection without an answer. */
export const drop: Part = (response) => {
  response.socket?.destroy();
};

type Ending = "end" | "drop" | "stay";

/** An event stream of these chunks as they stand, each in a packet of its own, then the end. */
export const chunks = (parts: (string | Uint8Array)[], ending: Ending = "end"): Part => async (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const part of parts) await new Promise((sent) => response.write(part, sent));
  if (ending === "end") response.end();
  if (ending === "drop") response.socket?.destroy();
};

export const frame = (id: number, event: string, data: unknown): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export const delta = (id: number, text: string): string =>
  frame(id, "prompt_delta", { stream_id: "s1", seq: 1, prompt_type: "final", delta: text });

export const done = (id: number, output: unknown, session = "s-1"): string =>
  frame(id, "done", { id: session, status: "completed", output });

export const view = (fields: Partial<WireSession> = {}): WireSession => ({
  id: "s-1",
  run_id: "s-1",
  status: "completed",
  input: {},
  output: null,
  error: null,
  call_count: 0,
  pending_seq: null,
  pending_prompt: null,
  pending_details: null,
  pending_approval: null,
  pending: [],
  created_at: "2026-01-02T03:04:05Z",
  ...fields,
});

/** An answer without a server. */
export const answering = (
  status: number,
  headers: Record<string, string>,
  rest: Partial<FetchResponse> = {},
): FetchResponse => ({
  ok: status < 400,
  status,
  headers: { get: (name) => headers[name] ?? null },
  body: null,
  text: async () => "",
  ...rest,
});

/** A busy server's answer, with a long wait to it that `controller` aborts once it has begun. */
export const busyUntil = (controller: AbortController): FetchResponse =>
  answering(503, { "retry-after": "59" }, {
    text: async () => {
      // Between here and the wait there are only promises, which are through before an immediate is.
      setImmediate(() => controller.abort(new Error("no longer")));
      return JSON.stringify({ error: "server busy" });
    },
  });
