const o = { name: "o", regular() { return this && this.name; }, arrow: () => typeof this, nested() { return [1].map(() => this.name)[0]; } };
function strict() { "use strict"; return this === undefined; }
const bound = o.regular.bind({ name: "bound" });
function add(a, b, c) { return [this.k, a, b, c]; }
const partial = add.bind({ k: 1 }, 2, 3);
[o.regular(), (0, o.nested).call({ name: "called" }), o.nested(), strict(), bound(), bound.call({ name: "ignored" }), partial(4), partial.length, partial.name];
