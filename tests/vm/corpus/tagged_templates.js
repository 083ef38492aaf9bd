const tag = (strings, ...values) => [strings.join("|"), strings.raw.join("|"), values];
const same = () => ((s) => s)`x`;
const name = "w", n = 2;
[tag`a${1}b\n${[2, 3]}c`, `${name}:${n > 1 ? `many ${n}` : "one"}`, String.raw`\u00${n}`, same() === same()];
