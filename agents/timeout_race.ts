// Gives a model a limited time. Timers are recorded like every other call, so a replay sees the same winner.
//
//   chidori run agents/timeout_race.ts --input question="What is a durable agent?"
import type { Chidori } from "chidori";

export async function agent(input: { question: string; timeoutMs?: string }, chidori: Chidori) {
  const timeoutMs = Number(input.timeoutMs ?? 20_000);
  const patience = new AbortController();
  const timeout = new Promise<null>((resolve) => {
    setTimeout(() => resolve(null), timeoutMs);
  });
  const answer = await Promise.race([chidori.prompt(input.question, { signal: patience.signal }), timeout]);
  if (answer === null) {
    // The request is closed: nobody pays for an answer that nobody reads.
    patience.abort();
    return { timedOut: true, answer: null };
  }
  return { timedOut: false, answer };
}
