// Asks Alertmanager, at ALERTMANAGER_URL, for the alerts of a service.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "recent_alerts",
  description: "Lists the alerts of a service that began in the last hours and are still firing.",
  parameters: {
    type: "object",
    properties: { service: { type: "string" }, hours: { type: "number", exclusiveMinimum: 0, default: 6 } },
    required: ["service"],
    additionalProperties: false,
  },
};

interface Alert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
}

export async function run(args: { service: string; hours?: number }, chidori: Chidori) {
  const server = await chidori.env("ALERTMANAGER_URL", { reveal: true });
  const filter = `service=${JSON.stringify(args.service)}`;
  const reply = await chidori.http<Alert[]>(`${server}/api/v2/alerts`, { query: { filter, active: true } });
  if (reply.status !== 200) {
    throw new Error(`Alertmanager: ${reply.error ?? `status ${reply.status}`}`);
  }
  const earliest = Date.now() - (args.hours ?? 6) * 3_600_000;
  return reply.body
    .filter((alert) => Date.parse(alert.startsAt) >= earliest)
    .map(({ labels, annotations, startsAt }) => ({ labels, annotations, startsAt }));
}
