// Finds notes by a word.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "search_notes",
  description: "Finds the user's notes that hold a word, in any case. Gives at most `limit` of them.",
  parameters: {
    type: "object",
    properties: {
      query: { type: "string", description: "A word or a part of one; all notes when it is empty" },
      limit: { type: "integer", minimum: 1, maximum: 20, default: 5 },
    },
    required: ["query"],
    additionalProperties: false,
  },
};

export async function run(args: { query: string; limit?: number }, chidori: Chidori) {
  const notes = await chidori.memory<string>("list", { namespace: "notes", values: true });
  const wanted = args.query.toLowerCase();
  const found = notes.filter(({ value }) => value.toLowerCase().includes(wanted));
  return { found: found.length, notes: found.slice(0, args.limit ?? 5).map(({ value }) => value) };
}
