/** The client of a Chidori server, and the types that agents are written against. */
export type * from "../chidori.js";
export { chidori } from "./host_object.js";
export { AgentClient, type AgentFile } from "./client.js";
export { Checkpoint } from "./checkpoint.js";
export type { EventStream } from "./event_stream.js";
export { Session, type Cancellation, type SessionSummary } from "./session.js";
export {
  ClientError,
  ConflictError,
  ConnectionFailedError,
  InvalidError,
  NotFoundError,
  ServerBusyError,
  UnauthorizedError,
} from "./errors.js";
export type * from "./events.js";
export type * from "./fetching.js";
export type * from "./options.js";
export type { CallRecord, HostOperation, HostPromiseState, SnapshotManifest } from "./records.js";
export type * from "./wire.js";
