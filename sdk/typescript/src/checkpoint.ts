import { toCallRecord, toSnapshotManifest, type CallRecord, type SnapshotManifest } from "./records.js";
import type { CheckpointFile, SessionStatus, WireCheckpoint } from "./wire.js";

/**
 * What a run can be replayed from: its input and its host calls. {@link Checkpoint.text} is a file for `chidori import`;
 * {@link Checkpoint.fromJSON} reads one, that of `chidori export` too. The values in all other fields are JavaScript's,
 * whose numbers are doubles: to look at, not to store.
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
  readonly #text: string;

  private constructor(text: string, raw: WireCheckpoint | CheckpointFile) {
    this.#text = text;
    this.sessionId = "session_id" in raw ? raw.session_id : raw.id;
    this.status = raw.status;
    this.input = raw.input;
    this.callLog = raw.call_log.map(toCallRecord);
    this.snapshotManifest = raw.snapshot_manifest ? toSnapshotManifest(raw.snapshot_manifest) : null;
    this.raw = raw;
  }

  /** A checkpoint from a file's text. Throws a `TypeError` for something else, also for the value that it parses to. */
  static fromJSON(text: string): Checkpoint {
    const value = parse(text);
    if (!isCheckpoint(value)) {
      throw new TypeError('Checkpoint.fromJSON: a checkpoint has "session_id" or "id", "input" and the array "call_log"');
    }
    return new Checkpoint(text, value);
  }

  /** The checkpoint as the server sent it, or as the file has it, to the letter: what to store. */
  get text(): string {
    return this.#text;
  }

  /** Refuses: a replay of what `JSON.stringify` wrote, 1 for 1.0, could diverge. */
  toJSON(): never {
    throw new TypeError(
      "JSON.stringify would change the checkpoint's numbers, 1.0 to 1: write checkpoint.text instead, which is JSON",
    );
  }
}

function parse(text: unknown): unknown {
  if (typeof text !== "string") {
    throw new TypeError("Checkpoint.fromJSON: give the text of the file; JSON.parse has changed its numbers, 1.0 to 1");
  }
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
