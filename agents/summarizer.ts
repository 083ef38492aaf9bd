// Summarizes a document of any length: its parts side by side, then the whole from the summaries of the parts.
//
//   chidori run agents/summarizer.ts --input document=@agents/data/declaration.txt
import type { Chidori } from "chidori";

const PART_CHARACTERS = 3000;

export async function agent(input: { document: string }, chidori: Chidori) {
  if (typeof input.document !== "string" || input.document.trim() === "") {
    throw new Error("there is no document: give one with --input document=@FILE");
  }
  const parts = partsOf(input.document);
  await chidori.log("summarizing", { characters: input.document.length, parts: parts.length });
  if (parts.length === 1) {
    return { summary: await conclude(input.document, chidori), parts: 1 };
  }

  const notes = await Promise.all(
    parts.map((part, index) =>
      chidori.prompt(`Note the main points of part ${index + 1} of ${parts.length} in two sentences:\n\n${part}`, {
        type: "draft",
        temperature: 0,
      }),
    ),
  );
  await chidori.checkpoint("parts-read", { parts: parts.length });

  return { summary: await conclude(notes.join("\n\n"), chidori), parts: parts.length };
}

function conclude(text: string, chidori: Chidori): Promise<string> {
  return chidori.prompt(`Summarize in three bullets:\n\n${text}`, { type: "final", temperature: 0 });
}

/** Paragraphs gathered into parts of at most PART_CHARACTERS; a longer paragraph is cut between two words. */
function partsOf(document: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (const paragraph of document.split(/\n\s*\n/).flatMap(pieces)) {
    if (part !== "" && part.length + 2 + paragraph.length > PART_CHARACTERS) {
      parts.push(part);
      part = "";
    }
    part = part === "" ? paragraph : `${part}\n\n${paragraph}`;
  }
  return [...parts, part];
}

function pieces(paragraph: string): string[] {
  const found: string[] = [];
  let rest = paragraph.trim();
  while (rest.length > PART_CHARACTERS) {
    const space = rest.lastIndexOf(" ", PART_CHARACTERS);
    const end = space > 0 ? space : PART_CHARACTERS;
    found.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return rest === "" ? found : [...found, rest];
}
