// Pages whoever is on call: an incident at PAGER_URL, which speaks PagerDuty's Events API (v2).
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "page_oncall",
  description: "Pages the person on call for a service. Only for what cannot wait.",
  parameters: {
    type: "object",
    properties: { service: { type: "string" }, diagnosis: { type: "string", description: "What is known so far" } },
    required: ["service", "diagnosis"],
    additionalProperties: false,
  },
};

export async function run(args: { service: string; diagnosis: string }, chidori: Chidori) {
  const server = await chidori.env("PAGER_URL", { reveal: true });
  const reply = await chidori.http<{ dedup_key?: string }>(`${server}/v2/enqueue`, {
    method: "POST",
    body: {
      routing_key: await chidori.env("PAGER_ROUTING_KEY"),
      event_action: "trigger",
      // One incident for a service at a time, however often it is paged.
      dedup_key: `chidori/${args.service}`,
      payload: {
        // The API takes no more than 1024 characters of it.
        summary: `${args.service}: ${args.diagnosis}`.slice(0, 1024),
        source: args.service,
        severity: "critical",
      },
    },
  });
  if (reply.status < 200 || reply.status >= 300) {
    throw new Error(`the pager: ${reply.error ?? `status ${reply.status}`}`);
  }
  return { paged: args.service };
}
