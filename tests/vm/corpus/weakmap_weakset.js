const k = {}, w = new WeakMap([[k, 1]]), s = new WeakSet([k]);
let error; try { w.set(1, 2); } catch (e) { error = e.name; }
[w.get(k), w.has({}), w.delete(k), w.has(k), s.has(k), error];
