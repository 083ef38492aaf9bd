const bad = ["{a:1}", "[1,]", "01", "'x'", "", "1 2", "\"\t\"", "nul", "+1", ".5"].map((text) => { try { JSON.parse(text); return "ok"; } catch (error) { return error.name; } });
[bad, JSON.parse(' {"a":[1,-2.5e3,"\\u0041\\n"],"a":{"b":null}} '), JSON.parse("[1,[2,3]]", (k, v) => (typeof v === "number" ? v * 2 : v)), Object.keys(JSON.parse('{"__proto__":1,"2":1,"1":1}'))];
