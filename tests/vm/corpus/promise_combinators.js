const log = [];
globalThis.result = log;
const later = (v, n) => { let p = Promise.resolve(v); for (let i = 0; i < n; i++) p = p.then((x) => x); return p; };
Promise.all([later(1, 3), 2, later(3, 1)]).then((v) => log.push(["all", v]));
Promise.race([later("slow", 5), later("fast", 1)]).then((v) => log.push(["race", v]));
Promise.allSettled([Promise.reject(1), 2]).then((v) => log.push(["settled", v]));
Promise.all([Promise.reject("x"), 1]).catch((e) => log.push(["rejected", e]));
