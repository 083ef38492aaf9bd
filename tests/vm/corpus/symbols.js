const s = Symbol("desc"), o = { [s]: 1, plain: 2, [Symbol.toPrimitive](hint) { return hint === "number" ? 42 : hint; } };
class Even { static [Symbol.hasInstance](n) { return n % 2 === 0; } }
[s.toString(), s.description, Object.keys(o), Object.getOwnPropertySymbols(o).length, +o, `${o}`, o + "", Symbol.for("k") === Symbol.for("k"), Symbol.keyFor(Symbol.for("k")), 4 instanceof Even, 3 instanceof Even];
