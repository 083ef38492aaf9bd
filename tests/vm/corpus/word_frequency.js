const text = "the quick brown fox jumps over the lazy dog. The dog barks; the fox runs!";
const counts = text.toLowerCase().match(/[a-z]+/g).reduce((m, w) => m.set(w, (m.get(w) || 0) + 1), new Map());
[...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 5);
