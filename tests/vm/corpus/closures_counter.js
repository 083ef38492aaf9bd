function counter(start) { let n = start; return { up: () => ++n, down: () => --n }; }
const a = counter(5), b = counter(0);
[a.up(), a.up(), b.down(), a.down(), b.up()];
