class A { constructor(x) { this.x = x; } }
class B {}
const made = Reflect.construct(A, [1], B);
const frozen = Object.freeze({ a: 1 });
[made instanceof B, made.x, Reflect.ownKeys({ b: 1, 2: 1, a: 1, 1: 1 }), Reflect.set(frozen, "a", 2), Reflect.has({ x: 1 }, "x"), Reflect.apply(Math.max, null, [1, 3]), Reflect.defineProperty(frozen, "z", { value: 1 })];
