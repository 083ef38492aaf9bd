import type { HashedFile, WireCallRecord, WireOperation, WirePromiseState, WireSnapshotManifest } from "./wire.js";

/** One host call of a run. */
export interface CallRecord {
  seq: number;
  /** The `tool`, `callAgent` or `parallel` that it happened in. */
  parentSeq: number | undefined;
  function: string;
  args: unknown;
  result: unknown;
  durationMs: number;
  tokenUsage: { inputTokens: number; outputTokens: number } | undefined;
  /** When it started, RFC 3339. */
  timestamp: string;
  error: string | undefined;
  /** The call's identity in the run, the same in every execution. */
  path: string | undefined;
  actor: string | undefined;
  /** The run-wide order in which calls ended. */
  index: number | undefined;
  originRunId: string | undefined;
  raw: WireCallRecord;
}

export function toCallRecord(raw: WireCallRecord): CallRecord {
  const usage = raw.token_usage;
  return {
    seq: raw.seq,
    parentSeq: raw.parent_seq,
    function: raw.function,
    args: raw.args,
    result: raw.result,
    durationMs: raw.duration_ms,
    tokenUsage: usage && { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens },
    timestamp: raw.timestamp,
    error: raw.error,
    path: raw.path,
    actor: raw.actor,
    index: raw.index,
    originRunId: raw.origin_run_id,
    raw,
  };
}

/** A host call that a run had made when its snapshot was taken. */
export interface HostOperation {
  id: string;
  seq: number;
  kind: string;
  function: string;
  args: unknown;
  createdAt: string;
}

export type HostPromiseState =
  | { status: "pending" }
  | { status: "resolved"; value: unknown; completedAt: string }
  | { status: "rejected"; error: unknown; completedAt: string };

/** What a snapshot was taken of. The VM's bytes are never served. */
export interface SnapshotManifest {
  runId: string;
  abi: { typescriptRuntime: unknown; quickjsSnapshot: unknown; engineFork: string };
  snapshotKind: string;
  policy: {
    typescriptImports: string;
    date: string;
    random: string;
    mapsSets: string;
    deterministicSeed: unknown;
    epochMs: number | null;
  };
  /** Paths are relative to the project's root, hashes `sha256:…`. */
  entry: HashedFile;
  modules: HashedFile[];
  moduleGraph: { path: string; imports: { specifier: string; resolvedPath: string }[] }[];
  /** What the run waits for. */
  pending: HostOperation | null;
  hostPromises: { operation: HostOperation; state: HostPromiseState }[];
  branch: { parentRunId: string; parallelOpId: string; branchIndex: number } | null;
  callLogLen: number;
  snapshotFile: string | null;
  createdAt: string;
  raw: WireSnapshotManifest;
}

export function toSnapshotManifest(raw: WireSnapshotManifest): SnapshotManifest {
  const { abi, policy, branch } = raw;
  return {
    runId: raw.run_id,
    abi: {
      typescriptRuntime: abi.typescript_runtime,
      quickjsSnapshot: abi.quickjs_snapshot,
      engineFork: abi.engine_fork,
    },
    snapshotKind: raw.snapshot_kind,
    policy: {
      typescriptImports: policy.typescript_imports,
      date: policy.date,
      random: policy.random,
      mapsSets: policy.maps_sets,
      deterministicSeed: policy.deterministic_seed,
      epochMs: policy.epoch_ms,
    },
    entry: raw.entry,
    modules: raw.modules,
    moduleGraph: raw.module_graph.map(({ path, imports }) => ({
      path,
      imports: imports.map(({ specifier, resolved_path }) => ({ specifier, resolvedPath: resolved_path })),
    })),
    pending: raw.pending && toOperation(raw.pending),
    hostPromises: raw.host_promises.map(({ operation, state }) => ({
      operation: toOperation(operation),
      state: toState(state),
    })),
    branch: branch && {
      parentRunId: branch.parent_run_id,
      parallelOpId: branch.parallel_op_id,
      branchIndex: branch.branch_index,
    },
    callLogLen: raw.call_log_len,
    snapshotFile: raw.snapshot_file,
    createdAt: raw.created_at,
    raw,
  };
}

function toOperation(raw: WireOperation): HostOperation {
  const { id, seq, kind, args, created_at } = raw;
  return { id, seq, kind, function: raw.function, args, createdAt: created_at };
}

function toState(raw: WirePromiseState): HostPromiseState {
  if (raw === "pending") return { status: "pending" };
  if ("rejected" in raw) {
    return { status: "rejected", error: raw.rejected.error, completedAt: raw.rejected.completed_at };
  }
  return { status: "resolved", value: raw.resolved.value, completedAt: raw.resolved.completed_at };
}
