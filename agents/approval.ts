// Announces news on several channels, each after a person's approval, which is asked for three levels deep: here a
// branch per channel, in it the sub-agent approval_channel.ts, in that the tool tools/publish.ts. The run pauses once
// every channel waits; the questions are answered in any order, and channels go on as they are answered.
//
//   chidori run agents/approval.ts --input news="The beta is open"
//   chidori resume agents/approval.ts RUN_ID --answer SEQ=yes
//
// With --input webhook=https://… what is approved is posted there. The policy can ask once more, before the POST:
//
//   export CHIDORI_POLICY='{"rules": [{"target": "http", "decision": "ask_before"}]}'
//   chidori resume agents/approval.ts RUN_ID --approve SEQ
import type { Chidori } from "chidori";

const CHANNELS = ["blog", "mail"];

export async function agent(input: { news: string; webhook?: string }, chidori: Chidori) {
  const outcomes = await chidori.parallel(
    CHANNELS.map((channel) => () => chidori.callAgent("approval_channel.ts", { ...input, channel })),
    // What is refused for one channel does not stop the other.
    { settle: true },
  );
  return outcomes.map((outcome, index) => ({
    channel: CHANNELS[index],
    ...(outcome.status === "fulfilled" ? { result: outcome.value } : { error: outcome.reason.message }),
  }));
}
