const attempt = (f) => { try { return String(f()); } catch (error) { return error.name; } };
[() => 1n + 1, () => 1n / 0n, () => BigInt(1.5), () => BigInt("x"), () => Math.max(1n), () => JSON.stringify(1n), () => 2n ** -1n, () => +1n, () => Number(10n), () => parseInt("12n", 10), () => (255n).toString(16)].map(attempt);
