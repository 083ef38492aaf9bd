import type { Question, WireCallRecord } from "./wire.js";

/** A host call has ended. `replayed`: it was answered from the record. */
export type CallEvent = { type: "call"; replayed?: boolean } & WireCallRecord;

interface PromptEvent {
  /** One text, from its start to its end. A prompt that was cut off and made again has another. */
  stream_id: string;
  seq: number;
  /** The prompt's `type`, by which readers tell progress from the final answer. */
  prompt_type: string | null;
}

export interface PromptStartEvent extends PromptEvent {
  type: "prompt_start";
  model: string | null;
}

export interface PromptDeltaEvent extends PromptEvent {
  type: "prompt_delta";
  delta: string;
}

export interface PromptEndEvent extends PromptEvent {
  type: "prompt_end";
  error: string | null;
}

/** Always the last one: the run has ended, or waits for an answer. */
export type DoneEvent = { type: "done"; id: string } & (
  | { status: "completed"; output: unknown }
  | { status: "failed" | "cancelled"; error: string | null }
  | { status: "paused"; pending_seq: number; pending_prompt: string | null; pending: Question[] }
);

/** What a run tells, by the server's names. Events of a newer server that are not among these are given as they are. */
export type AgentEvent = CallEvent | PromptStartEvent | PromptDeltaEvent | PromptEndEvent | DoneEvent;
