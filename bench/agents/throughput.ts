import type { Chidori } from "chidori";

// `calls` calls of `ms` milliseconds one after the other; with `branches`, in each of so many branches of one fork.
export async function agent(input: { branches: number; calls: number; ms: number }, chidori: Chidori) {
  const work = async () => {
    for (let made = 0; made < input.calls; made += 1) await new Promise((resolve) => setTimeout(resolve, input.ms));
    return input.calls;
  };
  if (input.branches === 0) return { made: await work() };
  const made = await chidori.parallel(Array.from({ length: input.branches }, () => work));
  return { made: made.reduce((sum: number, calls) => sum + (calls as number), 0) };
}
