const m = new Map([["a", 1], ["b", 2]]); m.set("a", 3); m.delete("b"); m.set("b", 4); m.set(NaN, "nan"); m.set(-0, "zero");
const seen = []; const s = new Set([1, 2, 3]);
for (const x of s) { seen.push(x); if (x === 1) { s.delete(2); s.add(4); } }
[[...m.entries()].map(([k, v]) => [String(k), v]), m.get(NaN), m.get(0), Object.is([...m.keys()][3], 0), seen, s.size];
