import type { Chidori } from "chidori";

// One durable call after the other.
export async function agent(input: { calls: number }, chidori: Chidori) {
  let made = 0;
  while (made < input.calls) {
    await chidori.log(`call ${made}`);
    made += 1;
  }
  return { made };
}
