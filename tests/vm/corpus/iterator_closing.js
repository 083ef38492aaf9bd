const log = [];
const source = { [Symbol.iterator]() { let n = 0; return { next: () => ({ value: n++, done: false }), return() { log.push("closed"); return {}; } }; } };
const [x, y] = source;
for (const n of source) { if (n === 2) break; }
try { for (const n of source) throw new RangeError("r"); } catch (error) { log.push(error.name); }
[x, y, log];
