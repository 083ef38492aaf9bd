const log = [];
globalThis.result = log;
const fail = async (name) => { throw new Error(name); };
(async () => {
  try { await fail("a"); } catch (error) { log.push(error.message); } finally { log.push("finally"); }
  await fail("b").catch((error) => log.push(error.message));
  log.push(await fail("c").then(() => "no", (error) => error.message));
})();
