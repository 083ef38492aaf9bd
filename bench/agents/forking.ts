import type { Chidori } from "chidori";

interface Input {
  calls: number;
  megabytes: number;
  branches: number;
  ms: number;
  ask: boolean;
}

const text = (length: number) => {
  let made = "";
  while (made.length < length) made += Math.random().toString(36).slice(2);
  return made.slice(0, length);
};

// About 650 bytes of the VM's memory, text that does not repeat.
const makeDocument = (number: number) => ({ number, title: text(24), tags: [text(8), text(8)], body: text(200) });

// `calls` calls one after the other while the heap grows by `megabytes`, then a fork: each branch waits for a timer of
// `ms`, or for a person's answer. The call "joined" follows the fork, so the record says how long the fork took.
export async function agent(input: Input, chidori: Chidori) {
  const documents: unknown[] = [];
  const wanted = (input.megabytes * 1e6) / 650;
  for (let made = 1; made <= input.calls; made += 1) {
    await chidori.log(`call ${made}`);
    while (documents.length < (wanted * made) / input.calls) documents.push(makeDocument(documents.length));
  }
  const results = await chidori.parallel(
    Array.from({ length: input.branches }, (_, branch) => async () => {
      if (input.ask) return await chidori.input(`Answer for branch ${branch}?`);
      await new Promise((resolve) => setTimeout(resolve, input.ms));
      return branch + documents.length;
    }),
  );
  await chidori.log("joined");
  return { results };
}
