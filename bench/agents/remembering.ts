import type { Chidori } from "chidori";

// Reads of the project's memory, which a policy sees, one after the other.
export async function agent(input: { calls: number }, chidori: Chidori) {
  for (let made = 0; made < input.calls; made += 1) {
    await chidori.memory("get", "settings/theme");
  }
  return { made: input.calls };
}
