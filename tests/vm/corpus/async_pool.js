const log = [];
globalThis.result = log;
async function pool(tasks, width) { const results = []; let next = 0; const worker = async () => { while (next < tasks.length) { const i = next++; log.push("start " + i); results[i] = await tasks[i](); } }; await Promise.all(Array.from({ length: width }, worker)); return results; }
pool([3, 1, 2, 0].map((n) => async () => { for (let i = 0; i < n; i++) await null; return n * n; }), 2).then((r) => log.push(r));
