const f = (...args) => args.length;
const merged = { a: 1, ...{ b: 2, a: 3 }, ...null, ...[9] };
[f(...[1, 2], ..."xyz", ...new Set([1, 1])), merged, [...new Map([[1, 2]])], Math.max(...[3, 1, 2])];
