/**
 * Addresses of the console and what they show. Links are plain `<a href>`; those into the console change the page
 * without loading it anew.
 *
 * @typedef {"timeline" | "calls" | "forks" | "compare" | "commands"} Tab
 * @typedef {{name: "runs", query: URLSearchParams}} RunsRoute
 * @typedef {{name: "run", id: string, tab: Tab, other: string | null, call: number | null, query: URLSearchParams}} RunRoute
 *   `call`: the seq of the call whose detail is open; `other`: the run to compare with.
 * @typedef {{name: "unknown", path: string}} UnknownRoute
 * @typedef {RunsRoute | RunRoute | UnknownRoute} Route
 */

const BASE = "/console";

/** @type {readonly Tab[]} */
const TABS = ["timeline", "calls", "forks", "compare", "commands"];

/** `route` is dispatched here after the address changed. */
export const routes = new EventTarget();

/**
 * What the address shows.
 *
 * @returns {Route}
 */
export function currentRoute() {
  const path = location.pathname;
  const query = new URLSearchParams(location.search);
  const [, place, id, tab = "timeline", other, ...rest] = path.slice(BASE.length).split("/").map(decoded);
  if (!place) return { name: "runs", query };
  const known = TABS.find((each) => each === tab);
  if (place !== "runs" || rest.length > 0 || (other && tab !== "compare")) return { name: "unknown", path };
  if (!id) return { name: "runs", query };
  if (!known) return { name: "unknown", path };
  return { name: "run", id, tab: known, other: other || null, call: seqOf(query.get("call")), query };
}

/**
 * The address of the list of runs.
 *
 * @param {{[name: string]: string | string[] | null | undefined}} [filters]
 * @returns {string}
 */
export function runsPath(filters = {}) {
  return `${BASE}/${queryText(filters)}`;
}

/**
 * The address of a run.
 *
 * @param {string} id
 * @param {{tab?: Tab, call?: number | null, other?: string | null}} [place]
 * @returns {string}
 */
export function runPath(id, { tab = "timeline", call = null, other = null } = {}) {
  const parts = [BASE, "runs", encodeURIComponent(id)];
  if (tab !== "timeline") parts.push(tab);
  if (tab === "compare" && other) parts.push(encodeURIComponent(other));
  return parts.join("/") + queryText({ call: call === null ? null : String(call) });
}

/**
 * Goes to an address of the console.
 *
 * @param {string} path
 * @param {{replace?: boolean}} [how] `replace`: the back button does not lead to where the page is now.
 */
export function navigate(path, { replace = false } = {}) {
  const here = location.pathname + location.search;
  if (path !== here) history[replace ? "replaceState" : "pushState"](null, "", path);
  routes.dispatchEvent(new Event("route"));
}

/**
 * Changes the query of the address and nothing else: `changeQuery({call: "7"})`; null takes a field away.
 *
 * @param {{[name: string]: string | string[] | null}} changes
 * @param {{replace?: boolean}} [how]
 */
export function changeQuery(changes, how) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const each of value === null ? [] : [value].flat()) query.append(name, each);
  }
  const text = query.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), how);
}

/**
 * Follows links into the console and the back button.
 *
 * @param {AbortSignal} signal
 */
export function startRouter(signal) {
  addEventListener("popstate", () => routes.dispatchEvent(new Event("route")), { signal });
  document.addEventListener("click", followLink, { signal });
}

/** @param {MouseEvent} event */
function followLink(event) {
  const link = /** @type {Element} */ (event.target).closest("a[href]");
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!(link instanceof HTMLAnchorElement) || !plain || event.defaultPrevented) return;
  const inside = link.pathname === BASE || link.pathname.startsWith(`${BASE}/`);
  if (link.origin !== location.origin || !inside || link.target || link.download || link.hash) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}

/**
 * @param {{[name: string]: string | string[] | null | undefined}} fields
 * @returns {string}
 */
function queryText(fields) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of value ? [value].flat() : []) query.append(name, each);
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/**
 * @param {string} part
 * @returns {string}
 */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * @param {string | null} text
 * @returns {number | null}
 */
function seqOf(text) {
  return text !== null && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}
