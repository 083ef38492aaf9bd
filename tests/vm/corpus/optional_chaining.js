const log = [];
const o = { a: { b: () => "called", c: null }, arr: [1] };
const side = () => { log.push("side"); return "b"; };
[o?.a?.b(), o.x?.y.z.w === undefined, o.a.c?.[side()] === undefined, o.nope?.() === undefined, o.arr?.[0], null ?? "d", 0 ?? "d", "" || "e", (undefined ?? null) === null, log];
