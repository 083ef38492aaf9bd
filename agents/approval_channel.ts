// The sub-agent of approval.ts: writes the news for one channel and publishes it.
//
//   chidori run agents/approval_channel.ts --input channel=blog --input news="The beta is open"
import type { Chidori } from "chidori";

export async function agent(input: { channel: string; news: string; webhook?: string }, chidori: Chidori) {
  const { channel, news, webhook } = input;
  const text = await chidori.prompt(`For the ${channel}, in two sentences: ${news}`, { type: "subagent" });
  return await chidori.tool("publish", { channel, text, webhook });
}
