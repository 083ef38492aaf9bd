// The smallest agent.
//
//   chidori run agents/hello.ts --input name=Ada
import type { Chidori } from "chidori";

export async function agent(input: { name?: string }, chidori: Chidori) {
  const name = input.name ?? "world";
  await chidori.log(`greeting ${name}`);
  return { greeting: `Hello, ${name}!` };
}
