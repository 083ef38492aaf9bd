const re = /(?<year>\d{4})-(?<month>\d\d)/u;
const m = re.exec("on 2024-05-06");
[m.index, { ...m.groups }, "2024-05".replace(re, "$<month>/$<year>"), "2024-05".replace(re, (...args) => args[args.length - 1].month), /(?<q>['"]).*?\k<q>/.exec(`x "a'b" y`)[0]];
