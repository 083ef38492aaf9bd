class Mine extends Promise { tag() { return "mine"; } }
const log = [];
globalThis.result = log;
const p = Mine.resolve(1).then((x) => x + 1);
log.push(p instanceof Mine, p.tag(), Mine.all([]) instanceof Mine);
p.then((v) => log.push(v));
