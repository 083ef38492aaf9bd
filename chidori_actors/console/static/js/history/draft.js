/** What a person changes about a call, as it stands in the editor, and the request that it makes. */

import { parseExactly, RawJson } from "../exact-json.js";
import { jsonText } from "../format.js";
import { jsonFault } from "./json-fault.js";

/**
 * @import {BranchPreview} from "../types.js"
 * @typedef {BranchPreview["result_kind"]} ResultKind
 * @typedef {{function: string, args: any, result: any, error: null|{message: string}}} RecordedCall what of a call's
 *   detail the editor needs
 */
/**
 * @typedef {object} Draft
 * @property {"result"|"error"} mode
 * @property {string} text the result as typed: the text itself, the choice, or JSON text
 * @property {string} error the message as typed
 * @property {string} note
 */
/** @typedef {{message: string, line: number|null, column: number|null}} DraftFault */

/** Whether a result of this kind is edited as JSON text. @param {ResultKind} kind */
export function isJsonKind(kind) {
  return kind === "json" || kind === "array";
}

/**
 * The kind of editor that a call's result takes, where the server has not said so yet.
 * @param {RecordedCall} call
 * @returns {ResultKind}
 */
export function resultKind(call) {
  const args = call.args ?? {};
  switch (call.function) {
    case "prompt":
      return "tools" in args || args.format === "json" ? "json" : "text";
    case "input":
      return Array.isArray(args.choices) && args.choices.length > 0 ? "choice" : "text";
    case "template":
      return "text";
    case "parallel":
      return "array";
    case "env":
      return "none";
    default:
      return "json";
  }
}

/**
 * The draft that says the same as the record: where a person begins.
 * @param {RecordedCall} call
 * @param {ResultKind} kind
 * @returns {Draft}
 */
export function recordedDraft(call, kind) {
  const failed = call.error !== null;
  return {
    mode: failed || kind === "none" ? "error" : "result",
    text: recordedText(call, kind),
    error: call.error?.message ?? "",
    note: "",
  };
}

/** @param {RecordedCall} call @param {ResultKind} kind */
function recordedText(call, kind) {
  const asText = !isJsonKind(kind);
  if (call.error === null) return asText && typeof call.result === "string" ? call.result : jsonText(call.result);
  if (asText) return "";
  return kind === "array" ? jsonText(new Array(branchCount(call)).fill(null)) : "null";
}

/**
 * What keeps a draft from being sent; null when nothing does.
 * @param {Draft} draft
 * @param {ResultKind} kind
 * @param {RecordedCall} call
 * @returns {DraftFault|null}
 */
export function draftFault(draft, kind, call) {
  if (draft.mode === "error") return draft.error.trim() === "" ? saying("Write the message of the error.") : null;
  if (kind === "none") return saying("This call has no result that could be another; it can only be made to fail.");
  if (kind === "choice") return draft.text === "" ? saying("Choose one of the answers.") : null;
  if (kind === "text") return null;
  const fault = jsonFault(draft.text);
  if (fault !== null) return fault;
  return kind === "array" ? arrayFault(JSON.parse(draft.text), branchCount(call)) : null;
}

/** @param {any} value @param {number} count */
function arrayFault(value, count) {
  if (Array.isArray(value) && value.length === count) return null;
  const found = Array.isArray(value) ? `it has ${value.length}` : "it is no array";
  return saying(`An array with ${count} items is needed, one for each branch; ${found}.`);
}

/** @param {string} message @returns {DraftFault} */
function saying(message) {
  return { message, line: null, column: null };
}

/**
 * The body of `POST …/branch` and `…/branch/preview`, for a draft without a fault.
 * @param {Draft} draft
 * @param {ResultKind} kind
 * @param {number} at
 * @returns {{at: number, result?: any, error?: string, note?: string}}
 */
export function branchBody(draft, kind, at) {
  const note = draft.note.trim() === "" ? {} : { note: draft.note.trim() };
  if (draft.mode === "error") return { at, error: draft.error, ...note };
  const result = isJsonKind(kind) ? new RawJson(draft.text) : draft.text;
  return { at, result, ...note };
}

/**
 * Whether a draft answers just as the record does: a fork of that would only do the rest again.
 * @param {Draft} draft
 * @param {ResultKind} kind
 * @param {RecordedCall} call
 */
export function isUnchanged(draft, kind, call) {
  const recorded = recordedDraft(call, kind);
  if (draft.mode !== recorded.mode) return false;
  return draft.mode === "error" ? draft.error === recorded.error : sameResult(draft.text, recorded.text, kind);
}

/** @param {string} text @param {string} recorded @param {ResultKind} kind */
function sameResult(text, recorded, kind) {
  if (text === recorded) return true;
  return isJsonKind(kind) && jsonFault(text) === null && jsonText(parseExactly(text)) === recorded;
}

/** @param {RecordedCall} call @returns {number} */
function branchCount(call) {
  return call.args?.count ?? (Array.isArray(call.result) ? call.result.length : 0);
}
