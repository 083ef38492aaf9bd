function* fibonacci() { let [a, b] = [0, 1]; for (;;) { yield a; [a, b] = [b, a + b]; } }
const out = [];
for (const n of fibonacci()) { if (n > 1000) break; out.push(n); }
out;
