let [a, , b = 3, ...rest] = [1, 2, undefined, 4, 5];
let p = 1, q = 2; [p, q] = [q, p];
const swap = ([x, [y]]) => ({ x, y });
const { length, 0: first } = "héllo";
[a, b, rest, p, q, swap([1, [2]]), length, first];
