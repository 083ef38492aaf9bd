function* talk() { const log = []; let got = yield "first"; log.push(got); got = yield "second"; log.push(got); return log; }
const it = talk();
[it.next("ignored"), it.next("a"), it.next("b"), it.next()];
