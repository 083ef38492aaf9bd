// Streams three prompts, the second one in a sub-agent; the `type` of a prompt tells a reader which text is which.
//
//   chidori run agents/streaming_progress.ts --input topic="durable agents" --stream
import type { Chidori } from "chidori";

export async function agent(input: { topic: string }, chidori: Chidori) {
  const plan = await chidori.prompt(`In one sentence, how would you explain ${input.topic}?`, { type: "progress" });
  // The child's records and its stream belong to this run.
  const { draft } = await chidori.callAgent<{ draft: string }>("streaming_child.ts", { topic: input.topic, plan });
  const answer = await chidori.prompt(`Tighten this to three sentences:\n\n${draft}`, { type: "final" });
  return { answer };
}
