const log = [typeof hoisted, typeof later];
var later = 1;
function hoisted() {}
try { early; let early = 1; } catch (error) { log.push(error.name); }
log;
