import { toCallRecord, toSnapshotManifest, type CallRecord, type SnapshotManifest } from "./records.js";
import type { CheckpointFile, SessionStatus, WireCheckpoint } from "./wire.js";

/**
 * What a run can be replayed from: its input and its host calls. `JSON.stringify` of it is the checkpoint file of
 * `chidori export`, and {@link Checkpoint.fromJSON} reads one.
 */
export class Checkpoint {
  readonly sessionId: string;
  /** `undefined` in a checkpoint that was read from a file. */
  readonly status: SessionStatus | undefined;
  readonly input: unknown;
  /** In the order in which the calls ended. */
  readonly callLog: CallRecord[];
  readonly snapshotManifest: SnapshotManifest | null;
  readonly raw: WireCheckpoint | CheckpointFile;

  constructor(raw: WireCheckpoint | CheckpointFile) {
    this.sessionId = "id" in raw ? raw.id : raw.session_id;
    this.status = "id" in raw ? raw.status : undefined;
    this.input = raw.input;
    this.callLog = raw.call_log.map(toCallRecord);
    this.snapshotManifest = raw.snapshot_manifest ? toSnapshotManifest(raw.snapshot_manifest) : null;
    this.raw = raw;
  }

  /** A checkpoint from a file's text, or from the value that it parses to. Throws a `TypeError` for something else. */
  static fromJSON(file: string | object): Checkpoint {
    const value: unknown = typeof file === "string" ? parse(file) : file;
    if (!isCheckpoint(value)) {
      throw new TypeError('Checkpoint.fromJSON: a checkpoint has "session_id", "input" and the array "call_log"');
    }
    return new Checkpoint(value);
  }

  toJSON(): CheckpointFile {
    const { input, call_log, snapshot_manifest } = this.raw;
    return { session_id: this.sessionId, input, call_log, snapshot_manifest: snapshot_manifest ?? null };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TypeError("Checkpoint.fromJSON: the text is not JSON", { cause: error });
  }
}

function isCheckpoint(value: unknown): value is WireCheckpoint | CheckpointFile {
  if (typeof value !== "object" || value === null) return false;
  const named = "id" in value || "session_id" in value;
  return named && "input" in value && "call_log" in value && Array.isArray(value.call_log);
}
