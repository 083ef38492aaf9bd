const log = [];
globalThis.result = log;
Promise.resolve(1).finally(() => 2).then((v) => log.push(v));
Promise.reject(3).finally(() => log.push("f")).catch((e) => log.push(e));
Promise.resolve(4).finally(() => { throw 5; }).catch((e) => log.push(e));
new Promise((resolve, reject) => { resolve(6); reject(7); throw 8; }).then((v) => log.push(v));
