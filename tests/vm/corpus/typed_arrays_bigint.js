const a = new BigInt64Array([1n, -1n, 2n ** 63n]), u = new BigUint64Array(a.buffer);
[[...a].map(String), [...u].map(String), a.length, a.byteLength];
