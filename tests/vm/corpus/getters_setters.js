const o = { _v: 1, get v() { return this._v * 10; }, set v(x) { this._v = x; }, get ["com" + "puted"]() { return "c"; } };
o.v = 5;
const child = Object.create(o); child.v = 8;
Object.defineProperty(o, "hidden", { get: () => "h", enumerable: false });
[o.v, child.v, o._v, Object.keys(child), o.computed, o.hidden, JSON.stringify(o)];
