const log = [];
const f = () => { try { log.push("try"); return "try"; } finally { log.push("finally"); } };
const g = () => { try { throw 1; } catch (e) { return e; } finally { return "finally wins"; } };
const h = () => { for (const i of [1, 2, 3]) { try { if (i === 2) continue; log.push(i); } finally { log.push("f" + i); } } };
const k = () => { try { try { throw "inner"; } finally { throw "outer"; } } catch (e) { return e; } };
h();
[f(), g(), k(), log];
