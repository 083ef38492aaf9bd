const order = [];
const note = (name) => { order.push(name); return name; };
class Base { a = note("a"); constructor() { note("base"); } }
class Sub extends Base { b = note("b"); [note("computed")] = note("c"); static s = note("static"); handler = () => this.b; constructor() { note("before"); super(); note("after"); } }
const { handler } = new Sub();
[order, handler(), Sub.s];
