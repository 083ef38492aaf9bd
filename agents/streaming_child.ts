// The sub-agent of streaming_progress.ts. It is an agent like any other:
//
//   chidori run agents/streaming_child.ts --input topic="durable agents" --input plan="Begin with an example"
import type { Chidori } from "chidori";

export async function agent(input: { topic: string; plan: string }, chidori: Chidori) {
  const draft = await chidori.prompt(`Explain ${input.topic} in a paragraph. Plan: ${input.plan}`, { type: "subagent" });
  return { draft };
}
