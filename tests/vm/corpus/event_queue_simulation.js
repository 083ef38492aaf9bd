class Heap { #items = []; push(at, name) { this.#items.push({ at, name }); this.#items.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1)); } pop() { return this.#items.shift(); } get size() { return this.#items.length; } }
const heap = new Heap(), log = [];
heap.push(5, "e"); heap.push(1, "a");
while (heap.size && log.length < 12) { const { at, name } = heap.pop(); log.push(at + name); if (at < 20) heap.push(at * 2 + 1, name + name[0]); }
log;
