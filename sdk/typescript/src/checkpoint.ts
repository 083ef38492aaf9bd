import { toCallRecord, toSnapshotManifest, type CallRecord, type SnapshotManifest } from "./records.js";
import type { CheckpointFile, SessionStatus, WireCheckpoint } from "./wire.js";

/**
 * What a run can be replayed from: its input and its host calls. `JSON.stringify` of it is a checkpoint file for
 * `chidori import`. {@link Checkpoint.fromJSON} reads one, that of `chidori export` and the server's answer too.
 */
export class Checkpoint {
  readonly sessionId: string;
  /** `undefined` in a file that does not say it. */
  readonly status: SessionStatus | undefined;
  readonly input: unknown;
  /** In the order in which the calls ended. */
  readonly callLog: CallRecord[];
  readonly snapshotManifest: SnapshotManifest | null;
  readonly raw: WireCheckpoint | CheckpointFile;

  constructor(raw: WireCheckpoint | CheckpointFile) {
    this.sessionId = "session_id" in raw ? raw.session_id : raw.id;
    this.status = raw.status;
    this.input = raw.input;
    this.callLog = raw.call_log.map(toCallRecord);
    this.snapshotManifest = raw.snapshot_manifest ? toSnapshotManifest(raw.snapshot_manifest) : null;
    this.raw = raw;
  }

  /** A checkpoint from a file's text, or from the value that it parses to. Throws a `TypeError` for something else. */
  static fromJSON(file: string | object): Checkpoint {
    const value: unknown = typeof file === "string" ? parse(file) : file;
    if (!isCheckpoint(value)) {
      throw new TypeError('Checkpoint.fromJSON: a checkpoint has "session_id" or "id", "input" and the array "call_log"');
    }
    return new Checkpoint(value);
  }

  /** Whatever else the file had, such as the source in one of `chidori export`, is kept. */
  toJSON(): CheckpointFile {
    const { id, run_id, session_id, snapshot_manifest, ...rest } = this.raw as CheckpointFile & Partial<WireCheckpoint>;
    return { session_id: this.sessionId, ...rest, snapshot_manifest: snapshot_manifest ?? null };
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
  const id = "session_id" in value ? value.session_id : "id" in value ? value.id : undefined;
  return typeof id === "string" && "input" in value && "call_log" in value && Array.isArray(value.call_log);
}
