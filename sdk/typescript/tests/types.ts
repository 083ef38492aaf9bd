// Checked by `tsc`, never run: each line below `@ts-expect-error` must be a fault.
import type { BranchError, Chidori, Settled, ToolDefinition } from "chidori";

/** Compiles only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const same = <A, B>(proof: Same<A, B>) => proof;

export async function parallel(chidori: Chidori, topics: string[]) {
  const pair = await chidori.parallel([() => chidori.prompt("a"), async () => ({ count: 1 })]);
  same<typeof pair, [string, { count: number }]>(true);

  const mapped = await chidori.parallel(topics.map((topic) => () => chidori.prompt(topic)), { concurrency: 2 });
  same<typeof mapped, string[]>(true);

  const settled = await chidori.parallel([() => chidori.prompt("a"), () => 1], { settle: true });
  same<typeof settled, [Settled<string>, Settled<number>]>(true);
  if (settled[0].status === "rejected") {
    console.log(settled[0].reason.message, (settled[0].reason as BranchError).branch);
  }

  // @ts-expect-error: a promise runs already
  await chidori.parallel([chidori.prompt("a")]);
  // @ts-expect-error: there is no such option
  await chidori.parallel([() => 1], { limit: 2 });
}

export async function calls(chidori: Chidori) {
  const text = await chidori.prompt("a", { tools: ["look_up"], maxTurns: 3 });
  same<typeof text, string>(true);
  const plan = await chidori.prompt<{ steps: string[] }>("a", { format: "json" });
  same<typeof plan, { steps: string[] }>(true);
  const keys = await chidori.memory("list", { prefix: "a" });
  same<typeof keys, string[]>(true);
  const entries = await chidori.memory<number>("list", { values: true });
  same<typeof entries, { key: string; value: number }[]>(true);
  const result = await chidori.tryCall(() => chidori.http<{ id: number }>("https://example.com"));
  if (result.ok) same<typeof result.value.body, { id: number }>(true);
  const unknown = await chidori.tool("look_up", { query: "a" });
  same<typeof unknown, unknown>(true);
  await chidori.callAgent("child.ts", { a: 1 }, { signal: AbortSignal.timeout(10) });

  await new Promise((resolve) => setTimeout(resolve, 10));

  // @ts-expect-error: "set" needs a value
  await chidori.memory("set", "key");
  // @ts-expect-error: choices are an array
  await chidori.input("Which?", { choices: "a" });
  // @ts-expect-error: agents have no fetch
  await fetch("https://example.com");
  // @ts-expect-error: agents have no process
  console.log(process.env);
}

export const tool: ToolDefinition = {
  name: "look_up",
  description: "Looks something up.",
  parameters: {
    type: "object",
    properties: { query: { type: "string", minLength: 1 }, depth: { enum: ["short", "long"], default: "short" } },
    required: ["query"],
    additionalProperties: false,
  },
};

// @ts-expect-error: a tool has a description
export const undescribed: ToolDefinition = { name: "nothing" };
// @ts-expect-error: the arguments of a tool are an object
export const listing: ToolDefinition = { name: "a", description: "b", parameters: { type: "array" } };
