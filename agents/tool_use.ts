// Lets a model call tools (agents/tools/): it may ask for several at once, and is asked again with their results until
// it answers with text. `chidori.tool` calls one without a model.
//
//   chidori run agents/tool_use.ts --input question="Which of my notes are about ships, and how long is each?" \
//     --input note="Ships: the Vasa sank in 1628."
//
// Without a model, the first reply and the last are:
//
//   export CHIDORI_TEST_LLM_TOOL_CALL='[{"name": "search_notes", "input": {"query": "ship"}},
//     {"name": "text_statistics", "input": {"text": "Which of my notes?"}}]'
//   export CHIDORI_TEST_LLM_RESPONSE="One note."
import type { Chidori } from "chidori";

export async function agent(input: { question: string; note?: string }, chidori: Chidori) {
  if (input.note !== undefined) {
    await chidori.tool("save_note", { text: input.note });
  }
  const answer = await chidori.prompt(input.question, {
    type: "final",
    system: "Answer from the user's notes. Look them up; do not guess.",
    tools: ["search_notes", "text_statistics"],
    maxTurns: 5,
  });
  return { answer };
}
