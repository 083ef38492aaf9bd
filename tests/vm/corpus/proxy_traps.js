const log = [];
const p = new Proxy({ a: 1 }, { get(t, k, r) { log.push("get " + String(k)); return Reflect.get(t, k, r); }, has(t, k) { log.push("has " + k); return k === "magic"; }, set(t, k, v) { log.push("set " + k); t[k] = v * 2; return true; }, deleteProperty(t, k) { log.push("delete " + k); return delete t[k]; }, ownKeys(t) { log.push("ownKeys"); return Reflect.ownKeys(t); } });
p.b = 2; const r = [p.a, p.b, "magic" in p, "a" in p, delete p.a, Object.keys(p)];
[r, log];
