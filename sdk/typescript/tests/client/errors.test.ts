import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import {
  AgentClient,
  chidori,
  ClientError,
  ConflictError,
  ConnectionFailedError,
  InvalidError,
  NotFoundError,
  ServerBusyError,
  UnauthorizedError,
} from "chidori";
import { busyUntil, drop, json, play, text, view, type Part } from "./server.js";

const failure = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );

const statuses = [
  [400, InvalidError],
  [401, UnauthorizedError],
  [404, NotFoundError],
  [409, ConflictError],
  [413, InvalidError],
  [422, InvalidError],
  [500, ClientError],
] as const;

for (const [status, kind] of statuses) {
  test(`${status} is ${kind.name} with the server's words, the request and the body`, async (t) => {
    const server = await play(t, json(status, { error: "what the server said", more: 1 }));

    const error = await failure(new AgentClient(server.url).resume("s-1", "x"));

    assert.equal(error.constructor, kind);
    assert.ok(error instanceof ClientError);
    assert.deepEqual([error.name, error.status, error.detail], [kind.name, status, "what the server said"]);
    assert.deepEqual(error.body, { error: "what the server said", more: 1 });
    assert.ok(error.message.startsWith(`what the server said (${status}, POST ${server.url}/sessions/s-1/resume)`));
  });
}

test("a missing key says where to put it", async (t) => {
  const server = await play(t, json(401, { error: "missing or invalid bearer token" }));

  assert.match((await failure(new AgentClient(server.url).agents())).hint, /apiKey.*CHIDORI_API_KEY/);
});

test("a busy server is asked again where that does no harm", async (t) => {
  const busy = json(503, { error: "server busy", acquire_timeout_ms: 10 }, { "retry-after": "0" });
  const server = await play(t, busy, busy, json(201, view({ output: 1 })), busy);
  const client = new AgentClient(server.url);

  assert.equal((await client.run({})).output, 1);
  const error = await failure(client.resume("s-1", "yes"));
  assert.ok(error instanceof ServerBusyError);
  assert.equal(error.retryAfterMs, 0);
});

test("a busy server that asks for a long wait is not waited for", async (t) => {
  const server = await play(t, json(503, { error: "server busy" }, { "retry-after": "3600" }));

  assert.equal((await failure(new AgentClient(server.url).agents())).retryAfterMs, 3_600_000);
});

test("Retry-After may be a date", async (t) => {
  const past = json(503, { error: "server busy" }, { "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT" });
  const server = await play(t, past, json(200, { agents: [] }));

  assert.deepEqual(await new AgentClient(server.url).agents(), []);
});

test("reading is repeated after a failed connection, up to the retries; answering never is", async (t) => {
  const server = await play(t, drop, json(200, view()), drop, drop, drop);
  const client = new AgentClient(server.url, { retries: 1 });

  assert.equal((await client.getSession("s-1")).id, "s-1");
  assert.ok((await failure(client.getSession("s-1"))) instanceof ConnectionFailedError);
  assert.ok((await failure(client.approve("s-1", true))) instanceof ConnectionFailedError);
});

test("an answer that breaks off in its middle is a failed connection", async (t) => {
  const half: Part = async (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    await new Promise((sent) => response.write('{"id":', sent));
    response.socket?.destroy();
  };
  const server = await play(t, half);

  assert.ok((await failure(new AgentClient(server.url).cancel("s-1"))) instanceof ConnectionFailedError);
});

test("no server at all says so and how to start one", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const url = `http://127.0.0.1:${(probe.address() as AddressInfo).port}`;
  await new Promise((closed) => probe.close(closed));

  const error = await failure(new AgentClient(url, { retries: 0 }).health());

  assert.ok(error instanceof ConnectionFailedError);
  assert.match(error.message, /ECONNREFUSED/);
  assert.match(error.message, /chidori serve/);
  assert.ok(error.cause instanceof TypeError);
});

test("what is not the API's answer is told with its beginning", async (t) => {
  const page = `<html>\n<h1>Welcome</h1>${"x".repeat(500)}</html>`;
  const server = await play(t, text(200, page), text(404, page), json(200, { hello: 1 }), json(200, [1]), text(500, "", "text/plain"));
  const client = new AgentClient(server.url);

  const notJson = await failure(client.agents());
  assert.match(notJson.message, /not JSON: <html> <h1>Welcome.*….*is this the address of a Chidori server\?/);
  assert.ok(notJson.message.length < 400);
  const notFound = await failure(client.getSession("s-1"));
  assert.ok(notFound instanceof NotFoundError);
  assert.match(notFound.message, /<html>/);
  assert.match((await failure(client.getSession("s-1"))).message, /has no "status": \{"hello":1\}/);
  assert.match((await failure(client.agents())).message, /has no "agents": \[1\]/);
  assert.equal((await failure(client.agents())).detail, "an error without a text");
});

test("an abort throws the signal's reason: before, during, and between attempts", async (t) => {
  const controller = new AbortController();
  const hang: Part = () => controller.abort(new Error("changed my mind"));
  const server = await play(t, hang);
  const client = new AgentClient(server.url);

  const aborted = AbortSignal.abort(new Error("never mind"));
  assert.equal((await failure(client.run({}, { signal: aborted }))).message, "never mind");
  assert.equal((await failure(client.run({}, { signal: controller.signal }))).message, "changed my mind");

  const between = new AbortController();
  const waiting = new AgentClient("http://unused", { fetch: async () => busyUntil(between) });
  assert.equal((await failure(waiting.agents({ signal: between.signal }))).message, "no longer");
});

for (const id of ["", ".", "..", "a/b", "stream"]) {
  test(`"${id}" is no session's id, and nothing is sent to another address`, async (t) => {
    const { url } = await play(t);
    const client = new AgentClient(url);
    const first = async (events: AsyncIterable<unknown>): Promise<void> => {
      for await (const _ of events) return;
    };

    for (const attempt of [
      () => client.cancel(id),
      () => client.getSession(id),
      () => client.getCheckpoint(id),
      () => client.resume(id, "yes"),
      () => client.branch(id, 1, { result: 1 }),
      () => client.replay(id),
      () => client.run({}, { sessionId: id }),
      () => first(client.attach(id)),
    ]) {
      const error = await failure(attempt());
      assert.ok(error instanceof InvalidError);
      assert.equal(error.status, 0);
      assert.match(error.message, /is not a session id \(nothing was sent\); an id has 1 to 128/);
    }
    assert.throws(() => client.stream({}, { sessionId: id }), InvalidError);
  });
}

test("what JSON cannot carry is refused with its place before anything is sent", async (t) => {
  const { url } = await play(t);
  const client = new AgentClient(url);
  const same = { n: NaN };
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;

  for (const [promise, text] of [
    [client.run(NaN), "`input` is NaN, which JSON cannot carry"],
    [client.run({ a: [1, [null, Infinity]] }), "`input.a[1][1]` is Infinity"],
    [client.run({ "a b": -Infinity }), '`input["a b"]` is -Infinity'],
    [client.run([[], same]), "`input[1].n` is NaN"],
    [client.run({ toJSON: () => ({ made: NaN }) }), "`input.made` is NaN"],
    [client.run(cycle), "circular"],
    [client.run(1n), "BigInt"],
    [client.branch("s-1", 1, { result: { at: NaN } }), "`result.at` is NaN"],
  ] as const) {
    const error = await failure(promise);
    assert.ok(error instanceof InvalidError, String(error));
    assert.ok(error.message.includes(text), error.message);
  }
});

test("an address that cannot be one is refused at once", () => {
  assert.throws(() => new AgentClient("localhost:8080"), /"localhost:8080" is not an address such as/);
  assert.throws(() => new AgentClient("nonsense"), TypeError);
  assert.throws(() => new AgentClient("http://me:secret@host"), (error: Error) => /apiKey/.test(error.message) && !/secret/.test(error.message));
});

test("the host object outside of a run says what to do", () => {
  assert.throws(() => chidori.prompt("hi"), /chidori\.prompt: there is no run here; `chidori run FILE`/);
});
