class Range { constructor(a, b) { this.a = a; this.b = b; } *[Symbol.iterator]() { for (let i = this.a; i < this.b; i++) yield i; } }
[[...new Range(1, 5)], Math.max(...new Range(0, 10)), Array.from(new Range(0, 3), (n) => n * n)];
