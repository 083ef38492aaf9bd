import type { Chidori } from "chidori";

// Waits for a person.
export async function agent(_input: object, chidori: Chidori) {
  return { answer: await chidori.input("Go on?") };
}
