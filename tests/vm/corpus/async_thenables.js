const log = [];
globalThis.result = log;
const thenable = { then(resolve) { log.push("then called"); resolve("value"); } };
(async () => { log.push(await thenable); })();
Promise.resolve(thenable).then((v) => log.push("resolved " + v));
log.push("sync");
