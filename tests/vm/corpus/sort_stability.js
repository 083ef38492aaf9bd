const people = "d2 a1 c2 b1 e1 f2 g1 h2 i1 j2 k1 l2".split(" ").map((text) => ({ name: text[0], group: +text[1] }));
const sorted = [...people].sort((a, b) => a.group - b.group).map((p) => p.name).join("");
[sorted, [10, 9, 1, undefined, , 2].sort().length, [10, 9, 1].sort(), ["b", undefined, "a"].sort(), [3, 1, 2].sort((a, b) => b - a), ["é", "z", "a", "Z"].sort()];
