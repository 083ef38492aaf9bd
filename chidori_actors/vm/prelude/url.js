// URL of the URL standard: the class over the parser, its setters and a live URLSearchParams.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { define, primordials, searchParams: searchParamsOf, url: urls } = prelude;
  const { toWellFormed } = primordials;
  const { parseUrl, serializeHost, serializeOrigin, serializePath, serializeUrl, setters } = urls;
  const { URLSearchParams } = globalThis;

  const toText = (value) => toWellFormed(`${value}`);

  // The record of `input` relative to `base`, or null.
  const resolve = (input, base) => {
    if (base === undefined) return parseUrl(toText(input), null);
    const parsedBase = parseUrl(toText(base), null);
    return parsedBase === null ? null : parseUrl(toText(input), parsedBase);
  };
  const invalid = (input, base) => {
    const error = new TypeError("Invalid URL");
    error.code = "ERR_INVALID_URL"; // as Node
    error.input = toText(input);
    if (base !== undefined) error.base = toText(base);
    return error;
  };

  class URL {
    #record;
    #params = new URLSearchParams();

    constructor(input, base = undefined) {
      if (arguments.length === 0) throw new TypeError("URL: 1 argument required");
      const record = resolve(input, base);
      if (record === null) throw invalid(input, base);
      this.#record = record;
      searchParamsOf.connect(this.#params, (query) => (this.#record.query = query === "" ? null : query));
      this.#refreshParams();
    }
    static canParse(input, base = undefined) {
      return resolve(input, base) !== null;
    }
    static parse(input, base = undefined) {
      return resolve(input, base) === null ? null : new URL(input, base);
    }
    #refreshParams() {
      searchParamsOf.reset(this.#params, this.#record.query ?? "");
    }
    #set(name, value) {
      setters[name](this.#record, toText(value));
    }
    get href() {
      return serializeUrl(this.#record);
    }
    set href(value) {
      const record = resolve(value, undefined);
      if (record === null) throw invalid(value, undefined);
      this.#record = record;
      this.#refreshParams();
    }
    get origin() {
      return serializeOrigin(this.#record);
    }
    get protocol() {
      return `${this.#record.scheme}:`;
    }
    set protocol(value) {
      this.#set("protocol", value);
    }
    get username() {
      return this.#record.username;
    }
    set username(value) {
      this.#set("username", value);
    }
    get password() {
      return this.#record.password;
    }
    set password(value) {
      this.#set("password", value);
    }
    get host() {
      return serializeHost(this.#record);
    }
    set host(value) {
      this.#set("host", value);
    }
    get hostname() {
      return this.#record.host ?? "";
    }
    set hostname(value) {
      this.#set("hostname", value);
    }
    get port() {
      return this.#record.port === null ? "" : `${this.#record.port}`;
    }
    set port(value) {
      this.#set("port", value);
    }
    get pathname() {
      return serializePath(this.#record);
    }
    set pathname(value) {
      this.#set("pathname", value);
    }
    get search() {
      return this.#record.query ? `?${this.#record.query}` : "";
    }
    set search(value) {
      this.#set("search", value);
      this.#refreshParams();
    }
    get searchParams() {
      return this.#params;
    }
    get hash() {
      return this.#record.fragment ? `#${this.#record.fragment}` : "";
    }
    set hash(value) {
      this.#set("hash", value);
    }
    toString() {
      return serializeUrl(this.#record);
    }
    toJSON() {
      return serializeUrl(this.#record);
    }
    [Symbol.for("nodejs.util.inspect.custom")](depth, options, inspect) {
      return `URL { href: ${inspect(this.href)} }`;
    }
  }

  Object.defineProperty(URL.prototype, Symbol.toStringTag, { value: "URL", configurable: true });
  define("URL", URL);
})();
