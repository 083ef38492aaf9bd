// Keeps a note in the project's memory. Its first words are its title; a note of the same title is replaced.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "save_note",
  description: "Saves a note for later. The text up to the first colon or full stop is its title.",
  parameters: {
    type: "object",
    properties: { text: { type: "string", minLength: 1, description: "The whole note" } },
    required: ["text"],
    additionalProperties: false,
  },
};

export async function run(args: { text: string }, chidori: Chidori) {
  const title = args.text.split(/[:.]/, 1)[0]!.trim().slice(0, 80) || "untitled";
  await chidori.memory("set", title, args.text, { namespace: "notes" });
  return { title };
}
