import type { Chidori } from "../chidori.js";

/** What agents import by this name inside a run. Outside of one there is nobody to record its calls. */
export const chidori: Chidori = new Proxy({} as Chidori, {
  get(_, method) {
    const way = "`chidori run FILE` runs an agent, AgentClient asks a server to";
    throw new Error(`chidori.${String(method)}: there is no run here; ${way}`);
  },
});
