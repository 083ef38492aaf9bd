/**
 * JSON kept as text. `JSON.parse` and `JSON.stringify` make another one of it: 1.0 becomes 1, an integer over 2^53 is
 * rounded, and keys that are numbers change their places.
 */

/** A value that is sent as it stands: {@link bodyText} takes one as a field of a body. */
export class JsonText {
  constructor(readonly text: string) {}
}

/** The fields of an object, by name. `text` must be the JSON of one. Of a name that occurs twice the last counts. */
export function fieldsOf(text: string): Map<string, JsonText> {
  const fields = new Map<string, JsonText>();
  let depth = 0;
  let start = 0;
  let name: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') {
      at = closingQuote(text, at);
    } else if (sign === "{" || sign === "[") {
      if (++depth === 1) start = at + 1;
    } else if (sign === ":" && depth === 1) {
      name = JSON.parse(text.slice(start, at));
      start = at + 1;
    } else if (sign === "," || sign === "}" || sign === "]") {
      if (depth === 1 && name !== undefined) fields.set(name, new JsonText(text.slice(start, at).trim()));
      if (depth === 1) start = at + 1;
      if (sign !== ",") depth--;
    }
  }
  return fields;
}

function closingQuote(text: string, opening: number): number {
  let at = opening + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}
