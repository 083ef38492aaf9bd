// Runs code that came from somewhere else (a model, a user, a webhook) in the three sandboxes, side by side.
//
//   chidori run agents/sandbox.ts -i '{"numbers": [3, 1, 2], "python": "result = sorted(input)"}'
//   CHIDORI_POLICY_FILE=agents/policies/sandbox.json chidori run agents/sandbox.ts
//
// Nothing in a sandbox reaches a file, the network, the environment, the clock or this agent. What it does wrong is an
// error here, with the bound that it exceeded or its line, and the agent goes on.
import type { Chidori, SandboxError } from "chidori";

interface Input {
  numbers?: number[];
  /** An expression, or the body of a function that has `input`. */
  js?: string;
  /** Has `input`; its value is that of `result`, or of its last expression. */
  python?: string;
  /** A module, in base64 or as text, that exports `add(i32, i32)`. */
  wasm?: string;
}

type Ran = { value: unknown } | { error: string; bound?: string; line?: number };

const ADD = `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`;

export async function agent(input: Input, chidori: Chidori): Promise<Record<string, Ran>> {
  const numbers = input.numbers ?? [1, 2, 3];
  const js = input.js ?? "return input.map((n) => n * n)";
  const python = input.python ?? "result = sum(input) / len(input)";
  const bounds = { input: numbers, timeoutMs: 1000, memoryMb: 32 };
  const [squares, mean, sum] = await Promise.all([
    ran(chidori.execJs(js, bounds)),
    ran(chidori.execPython(python, bounds)),
    ran(chidori.execWasm(input.wasm ?? ADD, { function: "add", args: numbers.slice(0, 2), memoryPages: 1, timeoutMs: 1000 })),
  ]);
  return { js: squares, python: mean, wasm: sum };
}

async function ran(execution: Promise<unknown>): Promise<Ran> {
  try {
    return { value: await execution };
  } catch (error) {
    const { name, message, bound, line } = error as SandboxError;
    if (name !== "SandboxError") {
      throw error; // a policy said no, or the call itself is wrong: that is not the source's fault
    }
    return { error: message, bound, line };
  }
}
