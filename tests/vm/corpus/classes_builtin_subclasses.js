class Stack extends Array { top() { return this[this.length - 1]; } }
const s = Stack.from([1, 2, 3]);
class Failure extends Error { constructor(m, code) { super(m); this.name = "Failure"; this.code = code; } }
const f = new Failure("bad", 7);
[s.top(), s.map((x) => x * 2) instanceof Stack, s.length, String(f), f instanceof Error, f.code];
