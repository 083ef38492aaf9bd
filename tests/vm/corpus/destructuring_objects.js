const { a, b: { c = 5, ...deep }, ...rest } = { a: 1, b: { d: 2, e: 3 }, f: 4, g: undefined };
const { x = 9, y: z = x + 1 } = { x: null };
const key = "dyn"; const { [key]: dyn } = { dyn: "amic" };
[a, c, deep, Object.keys(rest), x, z, dyn];
