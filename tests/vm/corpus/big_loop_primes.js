const limit = 20000, sieve = new Uint8Array(limit + 1);
let count = 0, sum = 0;
for (let i = 2; i <= limit; i++) { if (sieve[i]) continue; count++; sum += i; for (let j = i * i; j <= limit; j += i) sieve[j] = 1; }
[count, sum];
