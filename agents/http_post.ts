// Fetches JSON from one address and posts what it found to another. The token is read from the environment where
// `chidori` runs; the agent only holds a placeholder, which is filled in as the request is sent.
//
//   WEBHOOK_TOKEN=… chidori run agents/http_post.ts --input source=https://… --input target=https://…
import type { Chidori } from "chidori";

export async function agent(input: { source: string; target: string }, chidori: Chidori) {
  const found = await chidori.http(input.source, { timeoutMs: 10_000 });
  if (found.status !== 200) {
    throw new Error(`${input.source} answered ${found.status}: ${found.error ?? JSON.stringify(found.body)}`);
  }
  const token = await chidori.env("WEBHOOK_TOKEN");
  // A POST carries an Idempotency-Key of the run's own, so a receiver can tell a repetition after a crash.
  const posted = await chidori.http(input.target, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: { source: input.source, found: found.body },
    timeoutMs: 10_000,
  });
  await chidori.log("posted", { status: posted.status });
  return { status: posted.status, answer: posted.body };
}
