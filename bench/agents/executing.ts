import type { Chidori } from "chidori";

// Calls of one kind, `side` of them side by side, `rounds` rounds one after the other.
export async function agent(
  input: { kind: string; source: string; rounds: number; side: number },
  chidori: Chidori,
) {
  const kinds: Record<string, () => Promise<unknown>> = {
    js: () => chidori.execJs(input.source, { input: { x: 1 } }),
    python: () => chidori.execPython(input.source, { input: { x: 1 } }),
    cpython: () => chidori.execPython(input.source, { input: { x: 1 }, runtime: "cpython" }),
    wasm: () => chidori.execWasm(input.source, { function: "add", args: [1, 2], memoryPages: 1 }),
    log: () => chidori.log("a call"),
  };
  const call = kinds[input.kind];
  if (call === undefined) throw new Error(`there is no kind ${input.kind}`);
  for (let round = 0; round < input.rounds; round += 1) {
    await Promise.all(Array.from({ length: input.side }, call));
  }
  return { rounds: input.rounds };
}
