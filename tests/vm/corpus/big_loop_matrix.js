const n = 40, a = [], b = [];
for (let i = 0; i < n; i++) { a.push([]); b.push([]); for (let j = 0; j < n; j++) { a[i].push((i * j) % 7); b[i].push((i + j) % 5); } }
const c = a.map((row) => b[0].map((_, j) => row.reduce((s, v, k) => s + v * b[k][j], 0)));
[c[3].slice(0, 8), c.map((row, i) => row[i]).reduce((s, v) => s + v), Array.from({ length: 5000 }, (_, i) => Math.sin(i)).reduce((s, v) => s + v, 0).toFixed(8)];
