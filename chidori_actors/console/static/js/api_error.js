/** What a request ended with. `status` is 0 when the server could not be reached. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string | null} [hint] the way out
   */
  constructor(status, message, hint = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.hint = hint;
  }
}

/**
 * Whether a fault is only that its request was given up.
 *
 * @param {unknown} fault
 * @returns {boolean}
 */
export function isAbort(fault) {
  return fault instanceof DOMException && fault.name === "AbortError";
}
