class A { constructor() { this.log = ["A", new.target.name]; } hi() { return "A.hi"; } static make() { return new this(); } get kind() { return "a"; } }
class B extends A { constructor() { super(); this.log.push("B"); } hi() { return "B>" + super.hi(); } get kind() { return super.kind + "b"; } }
const b = B.make();
[b.log, b.hi(), b.kind, b instanceof A, Object.getPrototypeOf(B) === A, B.name];
