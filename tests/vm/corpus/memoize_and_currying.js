const calls = [];
const memoize = (f, cache = new Map()) => (...args) => { const key = JSON.stringify(args); if (!cache.has(key)) { calls.push(key); cache.set(key, f(...args)); } return cache.get(key); };
const slow = memoize((a, b) => a ** b);
const curry = (f) => function step(...args) { return args.length >= f.length ? f(...args) : (...more) => step(...args, ...more); };
const compose = (...fs) => (x) => fs.reduceRight((v, f) => f(v), x);
[slow(2, 10), slow(2, 10), slow(3, 2), calls, curry((a, b, c) => a + b * c)(1)(2)(3), compose((x) => x + 1, (x) => x * 2)(5)];
