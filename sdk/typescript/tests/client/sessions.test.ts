import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AgentClient, Checkpoint, ConflictError, ConnectionFailedError, NotFoundError } from "chidori";
import type { Fetch, WireCallRecord, WireSession, WireSnapshotManifest } from "chidori";
import { chunks, delta, done, drop, json, play, text, view } from "./server.js";

const RECORD: WireCallRecord = {
  seq: 2,
  parent_seq: 1,
  function: "prompt",
  args: { text: "hi", max_tokens: 5 },
  result: "hello",
  duration_ms: 12,
  token_usage: { input_tokens: 3, output_tokens: 4 },
  timestamp: "2026-01-02T03:04:05Z",
  path: "1/0",
  actor: "1",
  index: 0,
  origin_run_id: "s-0",
};
const OPERATION = { id: "op-3", seq: 3, kind: "input", function: "input", args: { prompt: "Ship it?" }, created_at: "c" };
const MANIFEST: WireSnapshotManifest = {
  run_id: "s-1",
  abi: { typescript_runtime: 1, quickjs_snapshot: 2, engine_fork: "chidori-quickjs" },
  snapshot_kind: "paused",
  policy: { typescript_imports: "relative", date: "fixed", random: "seeded", maps_sets: "serialize", deterministic_seed: "7", epoch_ms: 8 },
  entry: { path: "agents/a.ts", hash: "sha256:aa" },
  modules: [{ path: "agents/b.ts", hash: "sha256:bb" }],
  module_graph: [{ path: "agents/a.ts", imports: [{ specifier: "./b", resolved_path: "agents/b.ts" }] }],
  pending: OPERATION,
  host_promises: [
    { operation: OPERATION, state: "pending" },
    { operation: { ...OPERATION, id: "op-2", seq: 2 }, state: { resolved: { value: { max_tokens: 1 }, completed_at: "d" } } },
    { operation: { ...OPERATION, id: "op-1", seq: 1 }, state: { rejected: { error: "no", completed_at: "e" } } },
  ],
  branch: { parent_run_id: "s-0", parallel_op_id: "op-0", branch_index: 1 },
  call_log_len: 1,
  snapshot_file: "runtime.snapshot",
  created_at: "f",
};

test("run posts the input and gives the session with the wire's JSON beside it", async (t) => {
  const raw = view({ input: { a: 1 }, output: { max_tokens: 2 }, call_count: 4, status: "completed" });
  const server = await play(t, json(201, raw));

  const session = await new AgentClient(server.url).run({ a: 1 }, { agent: "child.ts", policyProfile: "untrusted" });

  assert.deepEqual(server.lines(), ["POST /sessions"]);
  const [{ headers, body }] = server.received as [(typeof server.received)[0]];
  assert.deepEqual([body.input, body.agent, body.policy_profile], [{ a: 1 }, "child.ts", "untrusted"]);
  assert.match(body.session_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(headers["idempotency-key"]);
  assert.equal(headers["prefer"], undefined);
  assert.deepEqual([session.id, session.runId, session.callCount, session.output], ["s-1", "s-1", 4, { max_tokens: 2 }]);
  assert.equal(session.createdAt, "2026-01-02T03:04:05Z");
  assert.deepEqual(session.raw, raw);
});

test("a failed run is a session, not an error, and a run without input gets an empty object", async (t) => {
  const server = await play(t, json(201, view({ status: "failed", error: "boom at a.ts:1:2" })));

  const session = await new AgentClient(`${server.url}/`).run();

  assert.deepEqual([session.status, session.error], ["failed", "boom at a.ts:1:2"]);
  assert.deepEqual(server.received[0]?.body.input, {});
});

test("run with wait: false asks for an answer at once and gives the running session", async (t) => {
  const server = await play(t, json(202, view({ status: "running" })));

  const session = await new AgentClient(server.url).run({}, { wait: false });

  assert.equal(server.received[0]?.headers["prefer"], "respond-async");
  assert.equal(session.status, "running");
});

test("a run whose answer is lost is asked for again under the same key and id", async (t) => {
  const server = await play(t, drop, json(201, view({ output: 1 })));

  const session = await new AgentClient(server.url).run({});

  const [first, second] = server.received;
  assert.equal(session.output, 1);
  assert.ok(first?.headers["idempotency-key"]);
  assert.equal(second?.headers["idempotency-key"], first?.headers["idempotency-key"]);
  assert.deepEqual(second?.body, first?.body);
});

test("a run that the server still works on when it answers is waited for", async (t) => {
  const server = await play(
    t,
    json(201, view({ status: "running" })),
    chunks([delta(1, "a"), done(2, 5)]),
    json(200, view({ output: 5 })),
  );

  assert.equal((await new AgentClient(server.url).run({})).output, 5);
  assert.deepEqual(server.lines(), ["POST /sessions", "GET /sessions/s-1/stream", "GET /sessions/s-1"]);
});

test("a conflict over the client's own id means that the lost request has started the session", async (t) => {
  const server = await play(t, drop, json(409, { error: "Session exists" }), json(200, view({ output: 6 })));

  assert.equal((await new AgentClient(server.url).run({})).output, 6);
  assert.equal(server.lines()[2], `GET /sessions/${server.received[0]?.body.session_id}`);
});

test("a conflict over an id of the caller's is an error", async (t) => {
  const server = await play(t, json(409, { error: "Session exists" }));

  await assert.rejects(new AgentClient(server.url).run({}, { sessionId: "mine" }), ConflictError);
});

/** A `fetch` that gives up on the answers to POST, as Node's does after five minutes. */
function impatient(posted: string[]): Fetch {
  return (url, init) => {
    if (init.method !== "POST") return fetch(url, init);
    posted.push(new URL(url).pathname);
    const cause = Object.assign(new Error("Headers Timeout Error"), { code: "UND_ERR_HEADERS_TIMEOUT" });
    return Promise.reject(new TypeError("fetch failed", { cause }));
  };
}

test("run and resume go on waiting by the session's id when fetch gives up on a slow answer", async (t) => {
  const server = await play(t, json(200, view({ output: 1 })), json(200, view({ output: 2 })));
  const posted: string[] = [];
  const client = new AgentClient(server.url, { fetch: impatient(posted) });

  assert.equal((await client.run({}, { sessionId: "slow:1" })).output, 1);
  assert.equal((await client.resume("s-2", "yes")).output, 2);
  assert.deepEqual(server.lines(), ["GET /sessions/slow%3A1", "GET /sessions/s-2"]);
  assert.deepEqual(posted, ["/sessions", "/sessions/s-2/resume"]);
});

test("when fetch gives up and the server knows no such session, the first error is told", async (t) => {
  const server = await play(t, json(404, { error: "Session not found" }));
  const posted: string[] = [];
  const client = new AgentClient(server.url, { fetch: impatient(posted) });

  await assert.rejects(client.run({}), (error: ConnectionFailedError) => error.silent && /Headers Timeout/.test(error.message));
  assert.deepEqual(posted, ["/sessions"]);
});

test("answers, approvals, retries, cancellations and branches are posted as the wire says", async (t) => {
  const cancelled = { id: "s-1", status: "cancelled", active: true, attempt_number: 2, reason: "late" };
  const server = await play(
    t,
    json(200, view()),
    json(200, view()),
    json(200, view()),
    json(200, view()),
    json(200, cancelled),
    json(201, view({ id: "s-9" })),
    json(201, view()),
  );
  const client = new AgentClient(server.url);

  await client.resume("s-1", "yes", { seq: 4, allowSourceChange: true });
  await client.retry("s-1");
  await client.approve("s-1", true);
  await client.approve("s-1", false, { seq: 2 });
  const cancellation = await client.cancel("s-1", { reason: "late" });
  const branch = await client.branch("s-1", 3, { result: null, note: "what if" });
  await client.branch("s-1", 3, { error: "timeout" });

  assert.deepEqual(
    server.received.map(({ line, body }) => [line, body]),
    [
      ["POST /sessions/s-1/resume", { response: "yes", seq: 4, allow_source_change: true }],
      ["POST /sessions/s-1/resume", { retry: true }],
      ["POST /sessions/s-1/approve", { decision: "allow" }],
      ["POST /sessions/s-1/approve", { decision: "deny", seq: 2 }],
      ["POST /sessions/s-1/cancel", { reason: "late" }],
      ["POST /sessions/s-1/branch", { at: 3, result: null, note: "what if" }],
      ["POST /sessions/s-1/branch", { at: 3, error: "timeout" }],
    ],
  );
  assert.deepEqual([cancellation.attemptNumber, cancellation.active, cancellation.raw], [2, true, cancelled]);
  assert.equal(branch.id, "s-9");
});

test("a session asks for itself", async (t) => {
  const questions: WireSession["pending"] = [
    { seq: 3, path: "2", kind: "input", prompt: "Ship it?", choices: ["yes"], default: null, details: null, target: null, args: null },
  ];
  const paused = view({ status: "paused", pending: questions, pending_seq: 3, pending_prompt: "Ship it?" });
  const server = await play(t, json(200, paused), json(200, view()), chunks([done(1, 1)]), json(200, paused), json(200, paused));

  const session = await new AgentClient(server.url).getSession("s-1");
  assert.deepEqual([session.status, session.pending, session.pendingSeq, session.pendingPrompt], ["paused", questions, 3, "Ship it?"]);
  assert.equal((await session.resume("yes", { seq: 3 })).status, "completed");
  for await (const event of session.events()) assert.equal(event.type, "done");
  assert.equal((await session.wait()).status, "paused");
  assert.equal((await session.refresh()).status, "paused");
  assert.deepEqual(server.lines().slice(1), [
    "POST /sessions/s-1/resume",
    "GET /sessions/s-1/stream",
    "GET /sessions/s-1",
    "GET /sessions/s-1",
  ]);
});

test("a checkpoint has camel-case fields, keeps the wire's JSON and is replayed by its records", async (t) => {
  const raw = { id: "s-1", run_id: "s-1", status: "paused", input: { a: 1 }, call_log: [RECORD], snapshot_manifest: MANIFEST };
  const server = await play(t, json(200, view()), json(200, raw), json(201, view({ id: "s-2" })));
  const client = new AgentClient(server.url);

  const checkpoint = await (await client.getSession("s-1")).checkpoint();
  assert.equal(checkpoint.snapshotManifest?.pending?.kind, "input");
  const [call] = checkpoint.callLog;
  assert.deepEqual(
    [call?.parentSeq, call?.durationMs, call?.tokenUsage, call?.originRunId, call?.args, call?.error],
    [1, 12, { inputTokens: 3, outputTokens: 4 }, "s-0", { text: "hi", max_tokens: 5 }, undefined],
  );
  assert.deepEqual(checkpoint.raw, raw);

  assert.equal((await client.replay(checkpoint)).id, "s-2");
  assert.deepEqual(server.received[2]?.body.replay_from, [RECORD]);
  assert.deepEqual(server.received[2]?.body.input, { a: 1 });
});

/** What JavaScript changes: a float that is whole, a large integer, the order of keys that are numbers, a key twice. */
const EXACT_INPUT = '{"f":1.0, "n":9007199254740993,"order":{"2":"b","1":"a"}}';
const EXACT_LOG = `[{"seq":1,"function":"log","args":{"message":"a \\"}], \\\\","big":1e400},"result":-0.0,"duration_ms":1.0}\n ]`;
const exactFile = (id: string): string =>
  `{"nested":{"input":0,"call_log":"] }"},"input":5,"${id}":"s-1","status":"completed",\n "call_log": ${EXACT_LOG} ,` +
  `"snapshot_manifest":null,"\\u0069nput":${EXACT_INPUT},"bundle":"{\\"x\\": 1.0}"}`;

test("the text of a checkpoint is what the server sent, and a replay sends back the input and the records in it", async (t) => {
  const server = await play(t, text(200, exactFile("id"), "application/json"), json(201, view({ id: "s-2" })));
  const client = new AgentClient(server.url);

  const checkpoint = await client.getCheckpoint("s-1");
  assert.equal(checkpoint.text, exactFile("id"));
  await client.replay(checkpoint, { agent: "child.ts", sessionId: "s-2" });

  const { text: sent, body } = server.received[1]!;
  assert.deepEqual([body.agent, body.session_id, body.input.order], ["child.ts", "s-2", { 1: "a", 2: "b" }]);
  assert.ok(sent.includes(`"input":${EXACT_INPUT}`), sent);
  assert.ok(sent.includes(`"replay_from":${EXACT_LOG}`), sent);
});

test("a checkpoint of a file has the file's text, and is replayed by the records in it", async (t) => {
  const server = await play(t, json(201, view({ id: "s-2" })));

  const checkpoint = Checkpoint.fromJSON(exactFile("session_id"));
  assert.equal(checkpoint.text, exactFile("session_id"));
  assert.deepEqual([checkpoint.sessionId, checkpoint.status, checkpoint.callLog.length], ["s-1", "completed", 1]);
  await new AgentClient(server.url).replay(checkpoint);

  const sent = server.received[0]!.text;
  assert.ok(sent.includes(`"input":${EXACT_INPUT}`) && sent.includes(`"replay_from":${EXACT_LOG}`), sent);
});

test("an input or a log without what JavaScript changes goes back too, whatever its kind", async (t) => {
  const inputs = ["null", "true", '"a\\\\"', "[]", "{}", " 7 "];
  const server = await play(t, ...inputs.map(() => json(201, view())));

  for (const input of inputs) {
    const checkpoint = Checkpoint.fromJSON(`{"session_id":"s-1","call_log":[],"input":${input}}`);
    await new AgentClient(server.url).replay(checkpoint);
  }

  assert.deepEqual(server.received.map(({ body }) => [body.input, body.replay_from]), inputs.map((input) => [JSON.parse(input), []]));
});

test("JSON.stringify of a checkpoint is refused instead of writing other numbers, and says what to write", () => {
  const checkpoint = Checkpoint.fromJSON(exactFile("session_id"));

  assert.throws(() => JSON.stringify({ checkpoint }), { name: "TypeError", message: /checkpoint\.text/ });
});

test("what is no checkpoint's text is refused with what is wrong with it", () => {
  const file = { session_id: "s-1", input: { a: 1 }, call_log: [RECORD] };

  assert.throws(() => Checkpoint.fromJSON("nonsense"), { name: "TypeError", message: /not JSON/ });
  assert.throws(() => Checkpoint.fromJSON('{"session_id":"s-1"}'), { name: "TypeError", message: /call_log/ });
  assert.throws(() => Checkpoint.fromJSON(JSON.stringify({ ...file, session_id: 3 })), /"session_id" or "id"/);
  // @ts-expect-error: its numbers have been through JSON.parse
  assert.throws(() => Checkpoint.fromJSON(file), { name: "TypeError", message: /the text of the file/ });
});

test("a replay by id gives the whole new session", async (t) => {
  const answer = { id: "s-2", replayed_from: "s-1", status: "completed", output: 1 };
  const server = await play(t, json(201, answer), json(200, view({ id: "s-2", output: 1, call_count: 3 })));

  const replayed = await new AgentClient(server.url).replay("s-1");

  assert.deepEqual([replayed.id, replayed.callCount], ["s-2", 3]);
  assert.deepEqual(server.lines(), ["POST /sessions/s-1/replay", "GET /sessions/s-2"]);
});

test("a snapshot manifest is converted throughout, values in it are not", async (t) => {
  const server = await play(t, json(200, { id: "s-1", run_id: "s-1", snapshot_manifest: MANIFEST }), json(404, { error: "Snapshot manifest not found" }));
  const client = new AgentClient(server.url);

  const { raw, ...manifest } = await client.getSnapshotManifest("s-1");
  assert.deepEqual(raw, MANIFEST);
  const { modules, moduleGraph, hostPromises, ...rest } = manifest;
  assert.deepEqual(moduleGraph[0]?.imports, [{ specifier: "./b", resolvedPath: "agents/b.ts" }]);
  assert.deepEqual(hostPromises.map(({ state }) => state), [
    { status: "pending" },
    { status: "resolved", value: { max_tokens: 1 }, completedAt: "d" },
    { status: "rejected", error: "no", completedAt: "e" },
  ]);
  assert.doesNotMatch(JSON.stringify(rest), /[a-z]_[a-z]+":/);
  assert.deepEqual([rest.policy.mapsSets, rest.policy.epochMs, rest.branch?.branchIndex, rest.callLogLen], ["serialize", 8, 1, 1]);

  await assert.rejects(client.getSnapshotManifest("s-2"), NotFoundError);
});

test("lists go from page to page as the loop does, up to the limit", async (t) => {
  const summary = (id: string) => ({ id, run_id: id, status: "paused", error: null, created_at: "c", pending_prompt: "Go?" });
  const server = await play(
    t,
    json(200, { sessions: [summary("a"), summary("b")], next_cursor: "n/1" }),
    json(200, { sessions: [summary("c"), summary("d")], next_cursor: "n/2" }),
    json(200, { sessions: [summary("e")], next_cursor: null }),
  );
  const client = new AgentClient(server.url);

  const ids: string[] = [];
  for await (const { id, pendingPrompt } of client.listSessions({ status: "paused", limit: 3 })) ids.push(`${id} ${pendingPrompt}`);
  assert.deepEqual(ids, ["a Go?", "b Go?", "c Go?"]);
  assert.deepEqual(server.lines(), ["GET /sessions?limit=3&status=paused", "GET /sessions?limit=1&cursor=n%2F1&status=paused"]);

  const all: string[] = [];
  for await (const { id } of client.listSessions()) all.push(id);
  assert.deepEqual(all, ["e"]);
});

test("agents and health are asked for, under the server's path and with the key", async (t) => {
  const agents = [{ name: "a.ts", default: true }];
  const server = await play(t, json(200, { agents }), json(200, { status: "ok" }));
  const client = new AgentClient(`${server.url}/chidori/`, { apiKey: "k-1", fetch: globalThis.fetch });

  assert.deepEqual(await client.agents(), agents);
  await client.health();
  assert.deepEqual(server.lines(), ["GET /chidori/agents", "GET /chidori/health"]);
  assert.equal(server.received[0]?.headers.authorization, "Bearer k-1");
});

test("address and key come from the environment when they are not given", async (t) => {
  const server = await play(t, json(200, { agents: [] }));
  process.env["CHIDORI_URL"] = server.url;
  process.env["CHIDORI_API_KEY"] = "k-2";
  t.after(() => {
    delete process.env["CHIDORI_URL"];
    delete process.env["CHIDORI_API_KEY"];
  });

  await new AgentClient().agents();

  assert.equal(server.received[0]?.headers.authorization, "Bearer k-2");
});

test("the package has no dependency", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));

  assert.equal(manifest.dependencies, undefined);
  assert.deepEqual(Object.keys(manifest.devDependencies), ["@types/node", "typescript"]);
});
