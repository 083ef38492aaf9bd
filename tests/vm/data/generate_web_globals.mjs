// Writes web_globals.json: what Node answers to each expression. Run by hand: node generate_web_globals.mjs
import { writeFileSync } from "node:fs";

const helpers = `
const parts = (url) => [url.href, url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port,
  url.pathname, url.search, url.hash];
const u = (input, base) => parts(new URL(input, base));
const set = (input, name, value) => { const url = new URL(input); url[name] = value; return parts(url); };
const p = (init) => { const params = new URLSearchParams(init); return [String(params), [...params], params.size]; };
const bytes = (text) => [...new TextEncoder().encode(text)];
const d = (data, label, options) => new TextDecoder(label, options).decode(new Uint8Array(data));
const show = (value) => Object.prototype.toString.call(value) + JSON.stringify(value);
`;
const call = (name) => (args) => `${name}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;

const absolute = [
  "http://example.com", "http://example.com/", "HTTP://EXAMPLE.com:80/%7Efoo/../bar", "https://user:pass@host:444/p?q#f",
  "https://user@host/", "https://:pw@host/", "http://a:b@c:d@e/", "http://a@b@c/", "http://@host", "http://user:@host/",
  "  http://trim.me/ \t", "ht\ntp://tab\t.com/a\nb", "http:example.com", "http:/example.com", "http:///example.com",
  "http:\\\\example.com\\a\\b", "https:////x", "ws://h:80/", "wss://h:443/x", "ftp://h:21/;type=a", "http://h:0/",
  "http://h:65535/", "http://h:65536/", "http://h:/", "http://h:8a/", "http://h:080", "http://", "https://?q", "http://:80",
  "http://a b/", "http://a%20b/", "http://a<b/", "http://%41.com/", "http://a%2fb/", "http://a|b", "http://[::1]/",
  "http://[1:2:3:4:5:6:7:8]:8080/", "http://[0:0:1:0:0:0:0:1]", "http://[::ffff:1.2.3.4]", "http://[::1.2.3.256]",
  "http://[1::2::3]", "http://[1:2:3:4:5:6:7]", "http://[::1", "http://[::g]", "http://[1:2:3:4:5:6:7::]", "http://[::]",
  "http://[2001:DB8:0:0:1:0:0:1]", "http://[::01.2.3.4]", "http://[12345::]", "http://1.2.3.4", "http://1.2.3", "http://1",
  "http://0x7f.1/", "http://0300.0250.1", "http://256.1.1.1", "http://1.2.3.4.5", "http://4294967295", "http://4294967296",
  "http://1.2.3.08", "http://foo.0x", "http://foo.1", "http://1.2.3.4.", "http://a..b/", "http://example.com./",
  "http://bücher.example/", "http://日本語.jp/パス?ク#フ", "http://faß.de/", "http://ÄÖÜ.com", "http://a。b/", "http://ｅｘ.com",
  "http://☃.net/", "http://😀.la", "http://xn--bcher-kva.example/", "http://a\u00adb.com", "http://Ελλάς.gr", "http://пример.рф",
  "http://h/a/./b/../c", "http://h/a/%2e/b/%2E%2e/c", "http://h/../..", "http://h/a/..", "http://h/a/.", "http://h/a//b",
  "http://h/a b\"<>`{}", "http://h/%zz%4", "http://h/?a b\"<>'`{}", "http://h/#a b\"<>`{}", "http://h/?", "http://h/#", "http://h?#",
  "http://h/a?b?c#d#e", "http://h/é?é#é", "http://h/\ud800", "http://h/;a=b,c&d@e:f", "http://u ser:p:w/d@h/",
  "http://u%20[]^|:;=@h/",
  "file:///etc/passwd", "file://localhost/x", "file://host/x", "file:/x", "file:x", "file:", "file:///C:/a/../..", "file:///C|/x",
  "file://C:/x", "file:c:\\foo\\bar", "file:///C:/../x", "file://host:80/", "file:////x", "file://%43%3A", "file:?q#f",
  "mailto:a@b.c?subject=x", "data:text/plain,hello world", "javascript:alert(1)", "about:blank", "urn:isbn:1#f", "blob:https://a.b:80/x",
  "blob:x", "foo://bar/baz?q#f", "foo://BAR:80/", "foo://u:p@h:1/../x", "foo:/a/b/../c", "foo:/..//p", "foo:///p", "foo://", "foo:",
  "foo://h h/", "foo://h%/", "foo://é/é", "foo://[::1]/", "foo:a b#c d", "web+demo:/.//not-a-host/", "nope", "", "/x", "//x", "1http://x",
  "a+b-c.1:x", "http://h/a\\b", "foo://h/a\\b", "http://user\\@h/",
].map((input) => call("u")([input]));

const base = "http://u:p@h:81/a/b/c?q#f";
const relative = [
  ...["", "d", "./d", "../d", "../../../d", "/d", "//o/d", "?x", "#x", "d?x#y", "http:d", "http:/d", "http://o", "https:d", "..", ".", "d/.", "\\d",
    "\\\\o\\d", "foo:x", "file:x", " x ", "//", "d/../e;x=1"].map((input) => [input, base]),
  ...["x", "/x", "//h/x", "?q", "#f", "D:/x", "/D:/x", "..", "../../.."].map((input) => [input, "file:///C:/a/b?q"]),
  ...["x", "../../x", "/x", "//h", "?q", "#f", ""].map((input) => [input, "foo://h/a/b"]),
  ...["#f", "x", "?q", ""].map((input) => [input, "mailto:a"]),
  ["x", "nope"], ["http://x", "nope"], ["x", "foo:/a/b"], ["//x", "foo:/a"], ["..", "foo:/"],
].map(call("u"));

const full = "https://u:p@h.example:81/a/b?q=1#f";
const setters = [
  [full, "protocol", "http"], [full, "protocol", "wss:"], [full, "protocol", "foo"], [full, "protocol", "1x"], [full, "protocol", "file"],
  ["http://h:443/", "protocol", "https"], ["foo://h/", "protocol", "bar"], ["foo://h/", "protocol", "http"], ["file:///x", "protocol", "http"],
  [full, "username", "n:@ é"], [full, "username", ""], [full, "password", "s/?#"], ["file:///x", "username", "n"], ["mailto:x", "password", "n"],
  [full, "host", "o"], [full, "host", "o:82"], [full, "host", "o:443"], [full, "host", "o:99999"], [full, "host", "o:8x"], [full, "host", ""],
  [full, "host", "o/p?q"], [full, "host", "[::1]:9"], [full, "host", ":9"], [full, "host", "a b"], ["mailto:x", "host", "h"], ["foo://h/", "host", ""],
  ["file:///x", "host", "localhost"], ["file:///x", "host", "h"], [full, "hostname", "o:1"], [full, "hostname", "o"], [full, "hostname", "é.x"],
  [full, "hostname", "o#x"], ["foo://h:1/", "hostname", ""], [full, "port", "82"], [full, "port", "443"], [full, "port", ""], [full, "port", "8x"],
  [full, "port", "x8"], [full, "port", "70000"], [full, "port", "0"], ["file:///x", "port", "1"], [full, "pathname", ""], [full, "pathname", "x/../y z"],
  [full, "pathname", "/?#"], [full, "pathname", "\\x"], ["mailto:x", "pathname", "y"], ["foo://h/a", "pathname", ""], ["foo:/a", "pathname", "//x"],
  ["file:///C:/x", "pathname", "/D|/y"], [full, "search", ""], [full, "search", "?"], [full, "search", "a=b c&'"], [full, "search", "??#"],
  ["foo://h", "search", "'"], [full, "hash", ""], [full, "hash", "#"], [full, "hash", "a b#"], [full, "href", "http://x"], [full, "href", "nope"],
].map(call("set"));

const params = [
  ...["", "?", "a=1&b=2", "?a=1", "a", "a=", "=a", "&&a=1&", "a=b=c", "a+b=c%20d", "%zz=%41%", "é=ü", "a=%F0%9F%98%80%FF", "%2B=+", "a=1&a=2"].map((init) => [init]),
  [{ a: 1, b: "x y", c: null }], [[["a", "1"], ["a", "2"]]], [[["a"]]], [[["a", "b", "c"]]], [[1]], [null], [5],
].map(call("p"));
const paramPrograms = [
  `p(new URLSearchParams("a=1&b=2"))`, `p(new Map([["a", 1]]))`, `p(undefined)`, `p("!*'()~-._ /:;=@[]^|$&+,é\\ud800")`, `p({a: "!*'()~-._ /:;=@[]^|$&+,é\\ud800\\n"})`,
  ...["s.append('c', 3)", "s.delete('a')", "s.delete('a', '2')", "s.set('a', 9)", "s.set('z', 9)", "s.sort()", "s.delete('nope')", "s.append('c d', '&=')"]
    .map((change) => `(() => { const url = new URL("http://h/?b=0&a=1&a=2&%F0%9F%98%80=x&ﬃ=y"); const s = url.searchParams; ${change}; return [String(s), url.href]; })()`),
  `(() => { const s = new URLSearchParams("a=1&a=2"); return [s.get("a"), s.get("x"), s.getAll("a"), s.has("a", "2"), s.has("a", "3"), s.has("x"), [...s.keys()], [...s.values()]]; })()`,
  `(() => { const url = new URL("http://h/?a=1"); const s = url.searchParams; url.search = "?z=1"; const one = String(s); url.href = "http://x/?y=2"; return [one, String(s), s === url.searchParams]; })()`,
  `(() => { const url = new URL("http://h/?a=1#x"); url.searchParams.delete("a"); return url.href; })()`,
  `(() => { const out = []; new URLSearchParams("a=1&b=2").forEach((value, name) => out.push(name + value)); return out; })()`,
  `new URLSearchParams("a=1").append("x")`, `JSON.stringify({ url: new URL("http://h") })`, `String(new URL("http://h"))`,
  `[URL.canParse("http://x"), URL.canParse("x"), URL.canParse("x", "http://h"), URL.canParse("x", "nope")]`,
  `Object.prototype.toString.call(new URL("http://h")) + Object.prototype.toString.call(new URLSearchParams())`, `URL("http://h")`, `new URL()`,
];

const base64 = [
  ...["YWJj", "YWI=", "YWI", "YQ==", "YQ", "YQ=", "Y", "", " Y W J j ", "YW\nJj", "YWJj=", "=", "YW=J", "a-_b", "YW\u000bJj", "/+8=", "YR==", "é"].map((text) => call("atob")([text])),
  ...["", "a", "ab", "abc", "ÿ", "€", "\u0000\u0001"].map((text) => call("btoa")([text])), "btoa(null)",
];

const text = [
  `bytes("aé€😀")`, `bytes("\\ud800a\\udc00")`, `bytes("\\ud83d")`, `bytes()`, `bytes(null)`, `bytes(undefined)`,
  ...["'aé€😀', 10", "'aé€😀', 5", "'aé€😀', 2", "'😀', 3", "'', 0", "'\\ud800', 3"].map((args) => `((text, size) => { const target = new Uint8Array(size); return [new TextEncoder().encodeInto(text, target), [...target]]; })(${args})`),
  ...[[0x61, 0xc3, 0xa9], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98, 0x80], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf5, 0x80], [0xff, 0x61],
    [0xe2, 0x61, 0x82], [0xf4, 0x90, 0x80, 0x80], [0xe0, 0x80, 0x80], [0xef, 0xbb, 0xbf, 0x61], [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], [0x80], [0xf0, 0x80, 0x41]]
    .flatMap((data) => [call("d")([data]), call("d")([data, "utf-8", { fatal: true }]), call("d")([data, "utf8", { ignoreBOM: true }])]),
  ...["utf-16le", "utf-16", "UTF-8", " utf8\\n", "nope", "", "utf-8\\u0000"].map((label) => `d([0x61, 0x00, 0x3d, 0xd8, 0x00, 0xde, 0x00, 0xdc, 0x62], "${label}")`),
  `d([0xff, 0xfe, 0x61, 0x00], "utf-16le")`, `d([0x3d, 0xd8], "utf-16le")`, `d([0x3d, 0xd8, 0x61, 0], "utf-16le")`,
  `(() => { const decoder = new TextDecoder(); const out = []; for (const byte of [0xef, 0xbb, 0xbf, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98]) out.push(decoder.decode(new Uint8Array([byte]), { stream: true })); out.push(decoder.decode()); out.push(decoder.decode(new Uint8Array([0xef, 0xbb, 0xbf]))); return out; })()`,
  `(() => { const decoder = new TextDecoder("utf-8", { fatal: true }); try { decoder.decode(new Uint8Array([0xff]), { stream: true }); } catch {} return decoder.decode(new Uint8Array([0x61])); })()`,
  `new TextDecoder().decode(new DataView(new Uint8Array([1, 97, 98, 2]).buffer, 1, 2))`, `new TextDecoder().decode(new Uint8Array([97]).buffer)`, `new TextDecoder().decode("x")`, `new TextDecoder().decode()`,
  `new TextDecoder().decode(new Uint16Array([0x6161]))`, `[new TextDecoder("UTF8").encoding, new TextDecoder("utf-16").encoding, new TextDecoder().fatal, new TextDecoder("utf-8", { ignoreBOM: 1 }).ignoreBOM]`, `new TextDecoder().decode(new Uint8Array(20000).fill(0x61)).length`,
];

const clones = [
  ..."1;'x';null;undefined;true;10n+'';new Boolean(false);new Number(3);new String('ab');[1,,3];[undefined];({a:{b:[1]}});new Date(5);new Date(NaN);/a+/gi;new Map([[{a:1},new Set([1])]]);new Uint8Array([1,2]);new ArrayBuffer(4)".split(";").map((value) => `show(structuredClone(${value}))`),
  ..."() => 1;Symbol('x');Promise.resolve();new WeakMap();new WeakSet();({a(){}});[Symbol.iterator];(function*(){})();class {};Object(Symbol());[][Symbol.iterator]();new Map([[1,()=>1]])".split(";").map((value) => `structuredClone(${value})`),
  `(() => { const a = { x: 1 }; a.self = a; const b = structuredClone(a); return [b.self === b, b !== a, b.x]; })()`,
  `(() => { const shared = {}; const copy = structuredClone({ a: shared, b: [shared] }); return copy.a === copy.b[0]; })()`,
  `(() => { class Point { constructor() { this.x = 1; } get y() { return 2; } } const copy = structuredClone(new Point()); return [copy.constructor === Object, copy.y, copy.x]; })()`,
  `(() => { const copy = structuredClone(new RangeError("boom", { cause: { a: 1 } })); return [copy instanceof RangeError, copy.name, copy.message, Object.keys(copy)]; })()`,
  `(() => { class Mine extends Error { name = "Mine"; extra = 1; } const copy = structuredClone(new Mine("m")); return [copy.constructor.name, copy.name, copy.message, copy.extra ?? null]; })()`,
  `(() => { const map = new Map(); map.set("me", map); const copy = structuredClone(map); return [copy.get("me") === copy, copy.size]; })()`,
  `(() => { const r = /a/g; r.lastIndex = 3; const copy = structuredClone(r); return [copy.source, copy.flags, copy.lastIndex]; })()`,
  `(() => { const whole = new Uint8Array([1, 2, 3, 4]); const copy = structuredClone({ whole, part: whole.subarray(1, 3) }); copy.whole[1] = 9; return [[...copy.part], copy.part.buffer === copy.whole.buffer, [...whole]]; })()`,
  `(() => { const buffer = new Uint8Array([1, 2]).buffer; const copy = structuredClone(buffer, { transfer: [buffer] }); return [copy.byteLength, buffer.byteLength]; })()`,
  `structuredClone(1, { transfer: [{}] })`, `structuredClone()`, `[...structuredClone(new Set([3, 1, 2]))]`, `Object.keys(structuredClone({ b: 1, a: 2, [Symbol("s")]: 3 }))`,
  `Object.keys(structuredClone(Object.assign([1], { extra: 2 })))`, `structuredClone(Object.create({ inherited: 1 })).inherited ?? null`, `structuredClone({ get a() { return 7; } })`, `[...structuredClone(new Float64Array([1.5, -0]))]`, `structuredClone(new DataView(new ArrayBuffer(8), 2, 3)).byteLength`,
  `Object.is(structuredClone(-0), -0)`, `structuredClone({ "__proto__": 1 })`, `Object.keys(structuredClone(JSON.parse('{"__proto__": 1}')))`, `structuredClone({ get a() { throw new RangeError("x"); } })`,
];

const events = [
  `(() => { const s = AbortSignal.abort(); return [s.aborted, s.reason.name, s.reason.code, s.reason instanceof DOMException, s.reason instanceof Error]; })()`,
  `(() => { const c = new AbortController(); const log = []; c.signal.onabort = (e) => log.push(e.type, e.target === c.signal); c.signal.addEventListener("abort", () => log.push("listener")); c.abort("why"); c.abort("again"); return [log, c.signal.reason]; })()`,
  `AbortSignal.abort(new RangeError("x")).throwIfAborted()`, `AbortSignal.abort().throwIfAborted()`, `new AbortController().signal.throwIfAborted() ?? null`, `new AbortSignal()`, `AbortSignal.timeout(-1)`, `AbortSignal.any([1])`,
  `(() => { const a = new AbortController(), b = new AbortController(); const any = AbortSignal.any([a.signal, b.signal]); const nested = AbortSignal.any([any]); b.abort(7); a.abort(8); return [any.reason, nested.reason, nested.aborted]; })()`,
  `AbortSignal.any([AbortSignal.abort(1), AbortSignal.abort(2)]).reason`, `AbortSignal.any([]).aborted`,
  `(() => { const t = new EventTarget(); const log = []; const f = () => log.push("f"); t.addEventListener("x", f); t.addEventListener("x", f); t.addEventListener("x", { handleEvent() { log.push("object"); } }, { once: true }); t.dispatchEvent(new Event("x")); t.dispatchEvent(new Event("x")); t.removeEventListener("x", f); t.dispatchEvent(new Event("x")); return log; })()`,
  `(() => { const t = new EventTarget(); const log = []; t.addEventListener("x", (e) => { log.push(1); e.stopImmediatePropagation(); }); t.addEventListener("x", () => log.push(2)); t.dispatchEvent(new Event("x")); return log; })()`,
  `(() => { const t = new EventTarget(); const c = new AbortController(); let n = 0; t.addEventListener("x", () => n++, { signal: c.signal }); t.dispatchEvent(new Event("x")); c.abort(); t.dispatchEvent(new Event("x")); return n; })()`,
  `(() => { const t = new EventTarget(); t.addEventListener("x", (e) => e.preventDefault()); return [t.dispatchEvent(new Event("x")), t.dispatchEvent(new Event("x", { cancelable: true }))]; })()`,
  `(() => { const t = new EventTarget(); const log = []; const late = () => log.push("late"); t.addEventListener("x", () => { t.removeEventListener("x", late); t.addEventListener("x", () => log.push("added")); }); t.addEventListener("x", late); t.dispatchEvent(new Event("x")); return log; })()`,
  `new EventTarget().dispatchEvent({})`, `(() => { const t = new EventTarget(); const e = new Event("x"); let name; t.addEventListener("x", () => { try { t.dispatchEvent(e); } catch (error) { name = typeof error.name; } }); t.dispatchEvent(e); return [name, e.target === t, e.currentTarget, e.eventPhase]; })()`,
  `new Event()`, `(() => { const e = new DOMException("m", "DataCloneError"); return [e.name, e.message, e.code, String(e), new DOMException().name, DOMException.ABORT_ERR]; })()`,
];

const evaluate = (expression) => {
  try {
    return { value: (0, eval)(`(() => { ${helpers}; return (${expression}); })()`) };
  } catch (error) {
    return { throws: error.name };
  }
};
const expressions = [...absolute, ...relative, ...setters, ...params, ...paramPrograms, ...base64, ...text, ...clones, ...events];
const cases = expressions.map((expression) => ({ expression, expected: JSON.parse(JSON.stringify(evaluate(expression))) }));
const lines = cases.map((entry) => `    ${JSON.stringify(entry)}`).join(",\n");
writeFileSync(
  new URL("web_globals.json", import.meta.url),
  `{\n  "node": ${JSON.stringify(process.version)},\n  "helpers": ${JSON.stringify(helpers)},\n  "cases": [\n${lines}\n  ]\n}\n`,
);
