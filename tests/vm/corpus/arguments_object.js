function sloppy(a, b) { arguments[0] = 9; return [a, arguments.length, typeof arguments.callee]; }
function strict(a) { "use strict"; arguments[0] = 9; return a; }
function rest(...args) { return Array.isArray(args) && !Array.isArray(arguments); }
[sloppy(1), strict(1), rest(1), (function () { return [].slice.call(arguments, 1); })(1, 2, 3)];
