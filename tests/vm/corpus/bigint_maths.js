const f = (n) => (n < 2n ? 1n : n * f(n - 1n));
[f(30n), 2n ** 100n, -7n / 2n, -7n % 3n, 5n & -2n, 1n << 70n, -1n >> 3n, BigInt.asUintN(8, 257n), BigInt.asIntN(8, 255n), BigInt("0xff"), BigInt(2 ** 60), -(-3n)].map(String).concat(1n < 2, 2n == 2, 2n === 2, typeof 1n, [3n, 1, 2n].sort((a, b) => (a < b ? -1 : 1)).join());
