const log = [];
(async () => { log.push(1); await null; log.push(4); await null; log.push(7); })();
Promise.resolve().then(() => log.push(5)).then(() => log.push(8));
log.push(2);
queue();
function queue() { Promise.resolve().then(() => log.push(6)); log.push(3); }
globalThis.result = log;
