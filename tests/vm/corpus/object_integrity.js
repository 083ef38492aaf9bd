"use strict";
const frozen = Object.freeze({ a: { b: 1 } }), sealed = Object.seal({ a: 1 });
const attempt = (f) => { try { f(); return "ok"; } catch (e) { return e.name; } };
[attempt(() => { frozen.a = 2; }), attempt(() => { frozen.a.b = 2; }), attempt(() => { sealed.a = 2; }), attempt(() => { sealed.b = 2; }), attempt(() => { delete sealed.a; }), Object.isFrozen(frozen), Object.isSealed(sealed), Object.isExtensible(sealed), frozen.a.b, Object.getOwnPropertyDescriptor(frozen, "a").writable];
