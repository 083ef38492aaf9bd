// Lets a run go on that is at rest, also when the agent's files are others than those that it began with.

import { api, ApiError, sessionPath } from "../api.js";
import { confirmed } from "../components/dialog.js";

/** @import {SessionView} from "../types.js" */

/** What the server says when the files are not those that the run began with. */
const CHANGED = /^runtime snapshot (source|module|module graph) mismatch/;

/**
 * `POST …/resume` or `…/approve`, without waiting for the run; asks first when it would go on with another source.
 *
 * @param {string} id @param {"resume" | "approve"} route @param {{[field: string]: unknown}} body
 * @returns {Promise<SessionView | null>} null: the person does not want the other source
 * @throws {ApiError} the server refused
 */
export async function goOn(id, route, body) {
  const post = (/** @type {object} */ fields) => api.post(sessionPath(id, route), fields, { prefer: "respond-async" });
  try {
    return await post(body);
  } catch (fault) {
    if (!(fault instanceof ApiError) || fault.status !== 409 || !CHANGED.test(fault.message)) throw fault;
    return (await isWanted(fault.message)) ? post({ ...body, allow_source_change: true }) : null;
  }
}

/** Whether a run is to go on with the files as they are now. @param {string} [why] */
export async function isWanted(why) {
  const said = "What is recorded is answered from the record, nothing of it is done again. Where the new source calls something else, the run stops and says so.";
  const answer = await confirmed({
    title: "Go on with the agent's files as they are now?",
    text: why ? `${why}. ${said}` : said,
    action: "Go on with them",
  });
  return answer !== null;
}
