const xs = [1, 2, 3, 4, 5];
const removed = xs.splice(1, 2, "a", "b", "c");
const holes = [1, , 3]; const visited = []; holes.forEach((x, i) => visited.push(i));
const short = [1, 2, 3]; short.length = 1; short[3] = 9;
[removed, xs, xs.unshift(0), xs.shift(), xs.pop(), xs.reverse(), visited, 1 in holes, short.length, Object.keys(short), Object.keys(Object.assign([1], { k: 1 })), [3, 2, 1].concat([4], 5, [[6]])];
