// Calls of `ms` milliseconds each, `side` of them side by side, `rounds` rounds one after the other.
export async function agent(input: { rounds: number; side: number; ms: number }) {
  for (let round = 0; round < input.rounds; round += 1) {
    await Promise.all(
      Array.from({ length: input.side }, () => new Promise((resolve) => setTimeout(resolve, input.ms))),
    );
  }
  return { rounds: input.rounds };
}
