const log = [];
function* g() { try { yield 1; yield 2; } catch (error) { log.push("caught " + error); yield 3; } finally { log.push("finally"); } }
const one = g(); one.next();
const two = g(); two.next();
[one.return(9), two.throw("x"), two.next(), log];
