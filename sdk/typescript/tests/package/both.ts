// Checked by `tsc`, never run: one name gives the authoring types and the client's, even where agents are checked,
// without the DOM and without Node.
import { chidori } from "chidori";
import type { AgentClient, AgentEvent, Checkpoint, Chidori, Session } from "chidori";

export const given: Chidori = chidori;

export async function client(client: AgentClient, checkpoint: Checkpoint): Promise<Session> {
  const kind: string | undefined = checkpoint.snapshotManifest?.pending?.kind;
  for await (const event of client.stream({ kind }, { signal: AbortSignal.timeout(10) })) console.log(told(event));
  return client.replay(checkpoint);
}

function told(event: AgentEvent): string {
  switch (event.type) {
    case "prompt_delta":
      return event.prompt_type === "progress" ? event.delta : "";
    case "prompt_start":
    case "prompt_end":
      return event.stream_id;
    case "call":
      return event.function;
    case "done":
      // @ts-expect-error: only a completed run has an output
      console.log(event.output);
      return event.status === "paused" ? (event.pending_prompt ?? "") : event.status;
  }
}
