// Asks the service that knows of deploys, at DEPLOYS_URL, for those of a service.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "recent_deploys",
  description: "Lists what was deployed of a service in the last hours, the newest first.",
  parameters: {
    type: "object",
    properties: { service: { type: "string" }, hours: { type: "number", exclusiveMinimum: 0, default: 2 } },
    required: ["service"],
    additionalProperties: false,
  },
};

export async function run(args: { service: string; hours?: number }, chidori: Chidori) {
  const server = await chidori.env("DEPLOYS_URL", { reveal: true });
  const query = { service: args.service, hours: args.hours ?? 2 };
  const reply = await chidori.http<unknown[]>(`${server}/deploys`, { query });
  if (reply.status !== 200) {
    throw new Error(`the list of deploys: ${reply.error ?? `status ${reply.status}`}`);
  }
  return reply.body;
}
