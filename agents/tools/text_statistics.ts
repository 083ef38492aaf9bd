// Counts what models are bad at counting.
import type { ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "text_statistics",
  description: "Counts the characters and words of a text.",
  parameters: {
    type: "object",
    properties: { text: { type: "string" } },
    required: ["text"],
    additionalProperties: false,
  },
};

export async function run(args: { text: string }) {
  return { characters: [...args.text].length, words: args.text.match(/\S+/g)?.length ?? 0 };
}
