const y = /foo/y, g = /o/g, log = [];
y.lastIndex = 3;
log.push(y.test("barfoo"), y.lastIndex, y.test("barfoo"), y.lastIndex);
while (g.exec("foo boo")) log.push(g.lastIndex);
[log, [..."a1b22".matchAll(/[a-z](\d+)/g)].map((m) => [m[1], m.index])];
