// Asks a person. When nobody can answer a question that has no default, the run stops as `paused` and is continued
// by `chidori resume`, in another process or on another day.
//
//   chidori run agents/input_pause.ts --input request="Delete the staging database"
import type { Chidori } from "chidori";

export async function agent(input: { request: string }, chidori: Chidori) {
  const decision = await chidori.input(`Approve this request? ${input.request}`, {
    type: "approval",
    choices: ["yes", "no"],
    default: "no",
  });
  if (decision !== "yes") {
    return { approved: false };
  }
  const approver = await chidori.input("Who approves it?");
  return { approved: true, approver };
}
