const log = [];
globalThis.result = log;
async function* source() { try { yield 1; yield Promise.resolve(2); yield 3; } finally { log.push("closed"); } }
(async () => {
  for await (const n of source()) { log.push(n); if (n === 2) break; }
  for await (const n of [Promise.resolve("x"), "y"]) log.push(n);
})();
