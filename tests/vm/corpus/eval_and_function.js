var outer = "global";
const indirect = eval;
const f = () => { var outer = "local"; return [eval("outer"), indirect("outer"), new Function("a", "b", "return a + b + outer")(1, 2)]; };
[f(), eval("1;if(true){2}"), eval("var leaked = 5; leaked") + leaked, (0, eval)("({a:1})").a];
