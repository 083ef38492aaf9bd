const byLet = [], byVar = [];
for (let i = 0; i < 3; i++) byLet.push(() => i);
for (var j = 0; j < 3; j++) byVar.push(() => j);
[byLet.map((f) => f()), byVar.map((f) => f())];
