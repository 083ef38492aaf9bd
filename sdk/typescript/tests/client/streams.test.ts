import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { AgentClient, ClientError, ConnectionFailedError, NotFoundError } from "chidori";
import type { AgentEvent, EventStream } from "chidori";
import { answering, busyUntil, chunks, delta, done, drop, frame, json, play, text, view, type Part } from "./server.js";

/** The deltas' texts and the output. */
async function told(stream: EventStream): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const event of stream) {
    if (event.type === "prompt_delta") values.push(event.delta);
    if (event.type === "done") values.push(event.status === "completed" ? event.output : event.status);
  }
  return values;
}

test("events come as the server names them, with their type, until done", async (t) => {
  const call = { seq: 1, function: "log", args: { message: "type" }, result: null, duration_ms: 0, timestamp: "t" };
  const server = await play(
    t,
    chunks([
      ": hello\n\n",
      frame(1, "call", call),
      frame(2, "prompt_start", { stream_id: "s", seq: 2, prompt_type: "progress", model: "m" }),
      delta(3, "a"),
      frame(4, "prompt_end", { stream_id: "s", seq: 2, prompt_type: "progress", error: null }),
      done(5, { ok: true }),
    ]),
  );

  const events: AgentEvent[] = [];
  for await (const event of new AgentClient(server.url).stream({ topic: "x" }, { agent: "b.ts" })) events.push(event);

  assert.deepEqual(events.map(({ type }) => type), ["call", "prompt_start", "prompt_delta", "prompt_end", "done"]);
  assert.deepEqual(events[0], { type: "call", ...call });
  assert.deepEqual(events[4], { type: "done", id: "s-1", status: "completed", output: { ok: true } });
  const [{ line, body, headers }] = server.received as [(typeof server.received)[0]];
  assert.deepEqual([line, body.input, body.agent, headers.accept], ["POST /sessions/stream", { topic: "x" }, "b.ts", "text/event-stream"]);
});

test("a dropped stream is read on behind the last event, nothing missing and nothing twice", async (t) => {
  const server = await play(
    t,
    chunks([delta(1, "a"), delta(2, "b"), "id: 3\nevent: prompt_delta\ndata: {\"del"], "drop"),
    chunks([delta(2, "b"), delta(3, "c")], "end"),
    chunks([delta(4, "d"), done(5, "out")]),
  );

  const stream = new AgentClient(server.url).stream({}, { sessionId: "s-1" });

  assert.deepEqual(await told(stream), ["a", "b", "c", "d", "out"]);
  assert.deepEqual(server.lines(), ["POST /sessions/stream", "GET /sessions/s-1/stream", "GET /sessions/s-1/stream"]);
  assert.deepEqual(server.received.map(({ headers }) => headers["last-event-id"]), [undefined, "2", "3"]);
  assert.deepEqual([stream.lastEventId, stream.sessionId], [4, "s-1"]);
});

test("a stream that breaks before its first event is read from the beginning", async (t) => {
  const server = await play(t, chunks([": nothing yet\n\n"], "drop"), chunks([delta(1, "a"), done(2, 1)]));

  assert.deepEqual(await told(new AgentClient(server.url).attach("s-1")), ["a", 1]);
  assert.equal(server.received[1]?.headers["last-event-id"], undefined);
});

test("a start without an answer looks for the session before it starts one", async (t) => {
  const found = await play(t, drop, chunks([done(1, "found")]));
  assert.deepEqual(await told(new AgentClient(found.url).stream({}, { sessionId: "s-1" })), ["found"]);
  assert.deepEqual(found.lines(), ["POST /sessions/stream", "GET /sessions/s-1/stream"]);

  const lost = await play(t, drop, json(404, { error: "Session not found" }), chunks([done(1, "started")]));
  assert.deepEqual(await told(new AgentClient(lost.url).stream({})), ["started"]);
  assert.deepEqual(lost.received[2]?.body, lost.received[0]?.body);

  const late = await play(
    t,
    drop,
    json(404, { error: "Session not found" }),
    json(409, { error: "Session exists" }),
    chunks([done(1, "late")]),
  );
  assert.deepEqual(await told(new AgentClient(late.url).stream({})), ["late"]);
});

test("a session that vanishes while it is read is an error and not started anew", async (t) => {
  const server = await play(t, chunks([delta(1, "a")], "drop"), json(404, { error: "Session not found" }));

  await assert.rejects(told(new AgentClient(server.url).stream({})), NotFoundError);
});

test("with an idempotency key the stream may be that of an older session, and is found by the key", async (t) => {
  const server = await play(
    t,
    chunks([delta(1, "a")], "drop"),
    json(404, { error: "Session not found" }),
    chunks([delta(1, "a"), delta(2, "b"), done(3, 1, "older")]),
  );

  const stream = new AgentClient(server.url).stream({}, { idempotencyKey: "order-7" });

  assert.deepEqual(await told(stream), ["a", "b", 1]);
  assert.equal(server.received[2]?.headers["idempotency-key"], "order-7");
  assert.equal(stream.sessionId, "older");
});

test("a silent stream is taken for lost", async (t) => {
  const server = await play(t, chunks([delta(1, "a")], "stay"), chunks([done(2, 1)]));

  assert.deepEqual(await told(new AgentClient(server.url, { idleMs: 100 }).attach("s-1")), ["a", 1]);
  assert.equal(server.received[1]?.headers["last-event-id"], "1");
});

test("after a pause the same stream goes on, and done's id hides no event", async (t) => {
  const paused = frame(2, "done", { id: "s-1", status: "paused", pending_seq: 1, pending_prompt: "Go?", pending: [] });
  const server = await play(
    t,
    chunks([delta(1, "a"), paused]),
    json(200, view()),
    chunks([delta(2, "b"), done(3, 1)]),
  );
  const client = new AgentClient(server.url);

  const stream = client.stream({}, { sessionId: "s-1" });
  assert.deepEqual(await told(stream), ["a", "paused"]);
  await client.resume("s-1", "yes");
  assert.deepEqual(await told(stream), ["b", 1]);
  assert.equal(server.received[2]?.headers["last-event-id"], "1");
});

test("attach begins behind the event that the caller knows", async (t) => {
  const server = await play(t, chunks([delta(8, "x"), done(9, 1)]));

  assert.deepEqual(await told(new AgentClient(server.url).attach("ü:1", { after: 7 })), ["x", 1]);
  assert.deepEqual([server.lines()[0], server.received[0]?.headers["last-event-id"]], ["GET /sessions/%C3%BC%3A1/stream", "7"]);
});

test("frames may be cut anywhere, and lines may end as another system's do", async () => {
  const bytes = new TextEncoder().encode(delta(1, "größer 🍵") + done(2, 1).replaceAll("\n", "\r\n"));
  const rest = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  const reader = {
    read: async () => ({ done: rest.length === 0, value: rest.shift() }),
    cancel: async () => undefined,
  };
  const response = answering(200, { "content-type": "text/event-stream" }, { body: { getReader: () => reader } });
  const client = new AgentClient("http://unused", { fetch: async () => response });

  assert.deepEqual(await told(client.attach("s-1")), ["größer 🍵", 1]);
});

test("leaving the loop closes the connection, and iterating again reads on", async (t) => {
  let closed: Promise<unknown> | undefined;
  const first: Part = async (response, received) => {
    closed = once(response, "close");
    await chunks([delta(1, "a"), delta(2, "b")], "stay")(response, received);
  };
  const server = await play(t, first, chunks([delta(2, "b"), done(3, 1)]));
  const stream = new AgentClient(server.url).attach("s-1");

  for await (const event of stream) {
    assert.equal(event.type, "prompt_delta");
    break;
  }
  await closed;
  assert.deepEqual(await told(stream), ["b", 1]);
});

test("an aborted stream throws the signal's reason and is not made again", async (t) => {
  const server = await play(t, chunks([delta(1, "a")], "stay"));
  const controller = new AbortController();

  const reading = (async () => {
    for await (const event of new AgentClient(server.url).stream({}, { signal: controller.signal })) {
      if (event.type === "prompt_delta") controller.abort(new Error("enough"));
    }
  })();

  await assert.rejects(reading, /^Error: enough$/);
});

test("an abort ends the wait for the next attempt", async () => {
  const controller = new AbortController();
  const client = new AgentClient("http://unused", { fetch: async () => busyUntil(controller) });

  await assert.rejects(told(client.attach("s-1", { signal: controller.signal })), /^Error: no longer$/);
  assert.equal(controller.signal.aborted, true);
});

test("a busy server is asked again", async (t) => {
  const busy = json(503, { error: "server busy; try later", acquire_timeout_ms: 10 }, { "retry-after": "0" });
  const server = await play(t, busy, json(404, { error: "Session not found" }), chunks([done(1, 1)]));

  assert.deepEqual(await told(new AgentClient(server.url).stream({})), [1]);
});

test("a stream that stays away is given up with the place to read on from", async (t) => {
  const server = await play(t, chunks([delta(1, "a")], "drop"), chunks([delta(2, "b")], "drop"));

  const error = await told(new AgentClient(server.url, { reattachMs: 0 }).attach("s-1")).catch((error: unknown) => error);

  assert.ok(error instanceof ConnectionFailedError);
  assert.match(error.message, /attach\("s-1", \{ after: 1 \}\)/);
  await told(new AgentClient(server.url, { reattachMs: 0 }).attach("s-1", { after: 1 })).catch(() => undefined);
});

test("a stream that was never there is given up after the retries", async (t) => {
  const server = await play(t, drop, drop, drop);

  await assert.rejects(told(new AgentClient(server.url, { retries: 2 }).attach("s-1")), ConnectionFailedError);
});

test("what is no event stream is an error", async (t) => {
  const page = await play(t, text(200, "<html>Welcome</html>"));
  await assert.rejects(told(new AgentClient(page.url).attach("s-1")), /text\/html, not an event stream.*Chidori server/);

  const broken = await play(t, chunks(["id: 1\nevent: call\ndata: {oops\n\n"], "stay"));
  await assert.rejects(told(new AgentClient(broken.url).attach("s-1")), (error: ClientError) =>
    /event "call" is not a JSON object: \{oops/.test(error.message),
  );
});
