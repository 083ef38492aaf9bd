// Publishes a text once a person has said yes.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "publish",
  description: "Asks for approval, then posts a text to a webhook. Without a webhook nothing is sent.",
  parameters: {
    type: "object",
    properties: {
      channel: { type: "string" },
      text: { type: "string" },
      webhook: { type: "string", format: "uri" },
    },
    required: ["channel", "text"],
    additionalProperties: false,
  },
};

export async function run(args: { channel: string; text: string; webhook?: string }, chidori: Chidori) {
  const decision = await chidori.input(`Publish on the ${args.channel}? ${args.text}`, {
    type: "approval",
    choices: ["yes", "no"],
  });
  if (decision === "no") {
    return { approved: false };
  }
  if (args.webhook === undefined) {
    return { approved: true, posted: null };
  }
  const response = await chidori.http(args.webhook, {
    method: "POST",
    body: { channel: args.channel, text: args.text },
  });
  return { approved: true, posted: response.status };
}
