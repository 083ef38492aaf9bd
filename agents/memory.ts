// Counts its own runs. Memory belongs to the project: it outlives a run, and every run on the same store sees it.
//
//   chidori run agents/memory.ts --input name=Ada
import type { Chidori } from "chidori";

interface Visits {
  count: number;
}

export async function agent(input: { name?: string }, chidori: Chidori) {
  const name = input.name ?? "world";
  const before = await chidori.memory<Visits>("get", name, { namespace: "visits" });
  const visits: Visits = { count: (before?.count ?? 0) + 1 };
  await chidori.memory("set", name, visits, { namespace: "visits" });
  const known = await chidori.memory("list", { namespace: "visits" });
  return { name, visits: visits.count, known };
}
