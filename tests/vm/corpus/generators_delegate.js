function* inner() { const got = yield 1; return got * 2; }
function* outer() { const r = yield* inner(); yield r; yield* [7, 8]; yield* "ab"; }
const it = outer();
[it.next(), it.next(21), ...it];
