const o = { b: 1, 2: 1, a: 1, 1: 1, [Symbol("s")]: 1, "-1": 1, "01": 1 };
delete o.b; o.b = 2;
const inLoop = []; for (const k in Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true }, hidden: { value: 1 } })) inLoop.push(k);
[Object.keys(o), JSON.stringify(o), Object.entries({ x: 1, y: [2] }), Object.fromEntries([["k", 1], ["l", 2]]), inLoop];
