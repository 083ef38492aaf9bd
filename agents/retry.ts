// Asks an unreliable address until it answers well, waiting longer each time, and goes on without it if it never does.
//
//   chidori run agents/retry.ts --input url=https://…
import type { Chidori } from "chidori";

export async function agent(input: { url: string }, chidori: Chidori) {
  let attempts = 0;
  const result = await chidori.tryCall(() =>
    chidori.retry(
      async () => {
        attempts += 1;
        const response = await chidori.http(input.url);
        // An answer with an error status is an answer: `http` does not throw for it.
        if (response.status !== 200) {
          throw new Error(`${input.url} answered ${response.status}`);
        }
        return response.body;
      },
      { attempts: 3, delayMs: 50, backoff: "exponential" },
    ),
  );
  if (!result.ok) {
    await chidori.log("gave up", { attempts, error: result.error });
    return { ok: false, attempts, error: result.error };
  }
  return { ok: true, attempts, body: result.value };
}
