// Reviews a proposal from three sides at once. Each branch of `parallel` is a durable actor that starts as a copy of
// this agent's VM: it sees `brief`, makes calls of its own, and gives its result back by returning it. After a crash,
// branches that had finished are not run again, and the others go on where they were.
//
//   chidori run agents/parallel.ts --input proposal="Let every team choose its own database"
import type { Chidori } from "chidori";

const SIDES = ["security", "cost", "operations"];

export async function agent(input: { proposal: string }, chidori: Chidori) {
  const brief = await chidori.prompt(`Restate in one sentence: ${input.proposal}`, { type: "draft" });

  const reviews = await chidori.parallel(
    SIDES.map((side) => async () => {
      const risk = await chidori.prompt(`The worst risk for ${side}, in one sentence: ${brief}`, { type: "draft" });
      // Branches nest.
      const [remedy, price] = await chidori.parallel([
        () => chidori.prompt(`A remedy for this risk to ${side}: ${risk}`, { type: "draft" }),
        () => chidori.prompt(`What ignoring this costs ${side}: ${risk}`, { type: "draft" }),
      ]);
      return { side, risk, remedy, price };
    }),
    { concurrency: 2 },
  );

  const verdict = await chidori.prompt(`Decide on "${brief}", given these reviews:\n\n${JSON.stringify(reviews)}`, {
    type: "final",
  });
  return { reviews, verdict };
}
