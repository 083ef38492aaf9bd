const log = [];
outer: for (let i = 0; i < 4; i++) { for (let j = 0; j < 4; j++) { if (j === 2) continue outer; if (i === 2) break outer; log.push(i * 10 + j); } }
block: { log.push("in"); if (log.length) break block; log.push("never"); }
let n = 0; do { n++; if (n === 2) continue; } while (n < 3);
[log, n];
