class Account { #balance = 0; static #count = 0; static made() { return Account.#count; } constructor() { Account.#count++; } get balance() { return this.#balance; } deposit(n) { this.#add(n); return this; } #add(n) { this.#balance += n; } }
const account = new Account().deposit(5).deposit(7);
[account.balance, Account.made(), Object.keys(account), JSON.stringify(account)];
