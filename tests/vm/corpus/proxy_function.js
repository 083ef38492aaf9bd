const f = new Proxy(function (a) { return a; }, { apply: (t, self, args) => args.length, construct: (t, args) => ({ made: args }) });
const { proxy, revoke } = Proxy.revocable({}, {}); revoke();
let dead; try { proxy.x; } catch (e) { dead = e.name; }
[f(1, 2, 3), new f(4), typeof f, dead];
