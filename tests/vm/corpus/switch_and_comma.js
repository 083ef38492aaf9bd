const f = (x) => { const log = []; switch (x) { case 1: log.push("one"); case 2: log.push("two"); break; default: log.push("default"); case 3: { let scoped = "three"; log.push(scoped); } } return log; };
[f(1), f(2), f(3), f(4), f("1")];
