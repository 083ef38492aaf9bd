/** The server's JSON as it is sent: what stands under `raw` of the client's own objects. */

export type SessionStatus = "running" | "completed" | "failed" | "cancelled" | "paused" | "awaitingapproval";

/** A question that a run waits for; `path` names the call that asks. */
export interface Question {
  seq: number;
  path: string;
  kind: "input" | "approval" | "in_doubt";
  prompt: string | null;
  choices: string[] | null;
  default: string | null;
  details: unknown;
  target: string | null;
  args: unknown;
}

export interface PendingApproval {
  target: string;
  args: unknown;
  reason: string | null;
}

export interface WireSession {
  id: string;
  run_id: string;
  status: SessionStatus;
  input: unknown;
  output: unknown;
  error: string | null;
  call_count: number;
  pending_seq: number | null;
  pending_prompt: string | null;
  pending_details: unknown;
  pending_approval: PendingApproval | null;
  pending?: Question[] | null;
  created_at: string;
}

export interface WireSessionSummary {
  id: string;
  run_id: string;
  status: SessionStatus;
  error: string | null;
  created_at: string;
  pending_prompt: string | null;
}

export interface WireSessionPage {
  sessions: WireSessionSummary[];
  next_cursor?: string | null;
}

export interface WireCallRecord {
  seq: number;
  parent_seq?: number;
  function: string;
  args: unknown;
  result: unknown;
  duration_ms: number;
  token_usage?: { input_tokens: number; output_tokens: number };
  timestamp: string;
  error?: string;
  path?: string;
  actor?: string;
  index?: number;
  origin_run_id?: string;
}

export interface WireOperation {
  id: string;
  seq: number;
  kind: string;
  function: string;
  args: unknown;
  created_at: string;
}

export type WirePromiseState =
  | "pending"
  | { resolved: { value: unknown; completed_at: string } }
  | { rejected: { error: unknown; completed_at: string } };

export interface HashedFile {
  path: string;
  hash: string;
}

export interface WireSnapshotManifest {
  run_id: string;
  abi: { typescript_runtime: unknown; quickjs_snapshot: unknown; engine_fork: string };
  snapshot_kind: string;
  policy: {
    typescript_imports: string;
    date: string;
    random: string;
    maps_sets: string;
    deterministic_seed: unknown;
    epoch_ms: number | null;
  };
  entry: HashedFile;
  modules: HashedFile[];
  module_graph: { path: string; imports: { specifier: string; resolved_path: string }[] }[];
  pending: WireOperation | null;
  host_promises: { operation: WireOperation; state: WirePromiseState }[];
  branch: { parent_run_id: string; parallel_op_id: string; branch_index: number } | null;
  call_log_len: number;
  snapshot_file: string | null;
  created_at: string;
}

export interface WireCheckpoint {
  id: string;
  run_id: string;
  status: SessionStatus;
  input: unknown;
  call_log: WireCallRecord[];
  snapshot_manifest: WireSnapshotManifest | null;
}

/** A checkpoint as a file: what `chidori export` writes, which adds the source among others, and `import` reads. */
export interface CheckpointFile {
  session_id: string;
  /** How the session stood when it was downloaded. */
  status?: SessionStatus;
  input: unknown;
  call_log: WireCallRecord[];
  snapshot_manifest: WireSnapshotManifest | null;
}

export interface WireSnapshot {
  id: string;
  run_id: string;
  snapshot_manifest: WireSnapshotManifest;
}

export interface WireCancellation {
  id: string;
  status: "cancelled";
  active: boolean;
  attempt_number: number | null;
  reason: string | null;
}

export interface WireReplay {
  id: string;
  replayed_from: string;
  status: SessionStatus;
  output: unknown;
}
