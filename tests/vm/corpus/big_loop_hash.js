let h = 0x811c9dc5;
for (let i = 0; i < 200000; i++) { h ^= i & 0xff; h = Math.imul(h, 0x01000193) >>> 0; }
let x = 123456789, total = 0;
for (let i = 0; i < 100000; i++) { x ^= x << 13; x ^= x >>> 17; x ^= x << 5; total += x & 1; }
[h, x, total];
