const log = [];
function f(a, b = (log.push("b"), a + 1), { c = b, d } = {}, ...rest) { return [a, b, c, d === undefined, rest, f.length]; }
[f(1), f(1, undefined, { c: 3, d: 4 }, 5, 6), f(1, null), log];
