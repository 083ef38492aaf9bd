// Three prompts whose text is streamed as it comes; the `type` of a prompt tells a reader which stream is which.
//
//   chidori run agents/streaming_progress.ts --input topic="durable agents" --stream
import type { Chidori } from "chidori";

export async function agent(input: { topic: string }, chidori: Chidori) {
  const plan = await chidori.prompt(`In one sentence, how would you explain ${input.topic}?`, { type: "progress" });
  const draft = await chidori.prompt(`Explain ${input.topic} in a paragraph. Plan: ${plan}`, { type: "draft" });
  const answer = await chidori.prompt(`Tighten this to three sentences:\n\n${draft}`, { type: "final" });
  return { answer };
}
