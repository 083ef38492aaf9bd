// Asks Prometheus, at PROMETHEUS_URL, for the present value of an expression.
import type { Chidori, ToolDefinition } from "chidori";

export const tool: ToolDefinition = {
  name: "prometheus_query",
  description: "Evaluates a PromQL expression now. Gives a value for each time series, with the labels of the series.",
  parameters: {
    type: "object",
    properties: { query: { type: "string", description: "A PromQL expression, such as `rate(errors[5m])`" } },
    required: ["query"],
    additionalProperties: false,
  },
};

interface Reply {
  status: "success" | "error";
  error?: string;
  data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

export async function run(args: { query: string }, chidori: Chidori) {
  const server = await chidori.env("PROMETHEUS_URL", { reveal: true });
  const reply = await chidori.http<Reply>(`${server}/api/v1/query`, { query: { query: args.query } });
  if (reply.status !== 200) {
    throw new Error(`Prometheus: ${reply.error ?? reply.body.error ?? `status ${reply.status}`}`);
  }
  return (reply.body.data?.result ?? []).map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}
