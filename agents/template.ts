// Keeps its prompt in a Jinja template beside it, prompts/summary.jinja.
//
//   chidori run agents/template.ts --input document=@agents/data/declaration.txt
import type { Chidori } from "chidori";

export async function agent(input: { document: string; audience?: string }, chidori: Chidori) {
  const prompt = await chidori.template("prompts/summary.jinja", {
    document: input.document,
    audience: input.audience ?? "a general reader",
    bullets: 3,
  });
  return { summary: await chidori.prompt(prompt, { type: "final" }) };
}
