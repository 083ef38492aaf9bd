// What assigning to a property of a URL does to its record. As in the standard, a bad value changes nothing.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { regExpExec, stringSlice, toLowerCase } = prelude.primordials;
  const { parseHost, percent, url: urls } = prelude;
  const { authorityEnd, defaultPorts, isOpaque, isSpecial, portColon, removeTabsAndNewlines } = urls;

  const cannotHaveCredentialsOrPort = (url) => url.host === null || url.host === "" || url.scheme === "file";
  const hasCredentialsOrPort = (url) => url.username !== "" || url.password !== "" || url.port !== null;

  const protocol = (url, value) => {
    const match = regExpExec(/^([a-z][a-z0-9+.-]*):/i, `${removeTabsAndNewlines(value)}:`);
    if (match === null) return;
    const scheme = toLowerCase(match[1]);
    if ((defaultPorts[scheme] !== undefined) !== isSpecial(url)) return;
    if (scheme === "file" && hasCredentialsOrPort(url)) return;
    if (url.scheme === "file" && url.host === "") return;
    url.scheme = scheme;
    if (url.port === defaultPorts[scheme]) url.port = null;
  };
  const username = (url, value) => {
    if (!cannotHaveCredentialsOrPort(url)) url.username = percent.encode(value, percent.userinfoSet);
  };
  const password = (url, value) => {
    if (!cannotHaveCredentialsOrPort(url)) url.password = percent.encode(value, percent.userinfoSet);
  };

  // Up to the first character that ends a host in a URL.
  const hostPart = (url, value) => {
    const text = regExpExec(/^[^?#]*/, removeTabsAndNewlines(value))[0];
    return stringSlice(text, 0, authorityEnd(url, text));
  };
  const fileHost = (url, text) => {
    const parsed = text === "" ? "" : parseHost(text, true);
    if (parsed !== null) url.host = parsed === "localhost" ? "" : parsed;
  };
  // Whether the host was set; an empty one only where the URL can do without.
  const setHost = (url, text) => {
    if (text === "" && (isSpecial(url) || hasCredentialsOrPort(url))) return false;
    const parsed = text === "" ? "" : parseHost(text, isSpecial(url));
    if (parsed === null) return false;
    url.host = parsed;
    return true;
  };
  const setPortPrefix = (url, text) => {
    const digits = regExpExec(/^[0-9]*/, text)[0];
    if (digits !== "") urls.setPort(url, digits);
  };
  const host = (url, value) => {
    if (isOpaque(url)) return;
    const text = hostPart(url, value);
    if (url.scheme === "file") {
      fileHost(url, text);
      return;
    }
    const colon = portColon(text);
    if (colon === 0) return;
    const wasSet = setHost(url, colon === -1 ? text : stringSlice(text, 0, colon));
    if (wasSet && colon !== -1) setPortPrefix(url, stringSlice(text, colon + 1));
  };
  const hostname = (url, value) => {
    if (isOpaque(url)) return;
    const text = hostPart(url, value);
    if (url.scheme === "file") fileHost(url, text);
    else if (portColon(text) === -1) setHost(url, text);
  };
  const port = (url, value) => {
    if (cannotHaveCredentialsOrPort(url)) return;
    if (value === "") url.port = null;
    else setPortPrefix(url, removeTabsAndNewlines(value));
  };

  const pathname = (url, value) => {
    if (isOpaque(url)) return;
    url.path = [];
    const text = removeTabsAndNewlines(value);
    if (text === "" && url.host === null) url.path[0] = "";
    else urls.startPath(url, text);
  };
  const search = (url, value) => {
    const text = removeTabsAndNewlines(value);
    if (value === "") url.query = null;
    else urls.setQuery(url, text[0] === "?" ? stringSlice(text, 1) : text);
  };
  const hash = (url, value) => {
    const text = removeTabsAndNewlines(value);
    if (value === "") url.fragment = null;
    else urls.setFragment(url, text[0] === "#" ? stringSlice(text, 1) : text);
  };

  urls.setters = { __proto__: null, protocol, username, password, host, hostname, port, pathname, search, hash };
})();
