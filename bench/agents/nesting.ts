import type { Chidori } from "chidori";

// A fork in a fork, `levels` deep: at each level one branch forks again and the other waits for a timer of `ms`.
export async function agent(input: { levels: number; ms: number }, chidori: Chidori) {
  const wait = () => new Promise((resolve) => setTimeout(resolve, input.ms));
  const level = async (left: number): Promise<number> => {
    if (left === 0) return 0;
    const [below] = await chidori.parallel([() => level(left - 1), wait]);
    return (below as number) + 1;
  };
  const levels = await level(input.levels);
  await chidori.log("joined");
  return { levels };
}
