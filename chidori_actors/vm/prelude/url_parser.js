// The URL parser of the URL standard, as a split into parts instead of a walk over characters: `#`, then `?`, then the
// authority can be cut off from the outside because none of them can stand inside what is left.
//
// A URL record is {scheme, username, password, host, port, path, query, fragment}: host, port, query, fragment may be
// null; path is a string when it is opaque, otherwise an array of segments.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { arrayJoin, arraySlice, charCodeAt, indexOf, lastIndexOf, regExpExec, stringSlice, toLowerCase } =
    prelude.primordials;
  const { parseHost, percent } = prelude;

  const defaultPorts = { __proto__: null, http: 80, https: 443, ws: 80, wss: 443, ftp: 21, file: null };
  const isSpecial = (url) => defaultPorts[url.scheme] !== undefined;
  const isOpaque = (url) => typeof url.path === "string";
  const isSlash = (url, character) => character === "/" || (character === "\\" && isSpecial(url));
  const isDriveLetter = (text) => regExpExec(/^[A-Za-z][:|]$/, text) !== null;
  const startsWithDriveLetter = (text) => regExpExec(/^[A-Za-z][:|](?:[/\\?#]|$)/, text) !== null;

  const newUrl = (scheme) => ({
    scheme, username: "", password: "", host: null, port: null, path: [], query: null, fragment: null,
  });

  const removeTabsAndNewlines = (text) => {
    let kept = "";
    for (let i = 0; i < text.length; i++) {
      const code = charCodeAt(text, i);
      if (code !== 9 && code !== 10 && code !== 13) kept += text[i];
    }
    return kept;
  };
  const trimControlsAndSpaces = (text) => {
    let start = 0;
    let end = text.length;
    while (start < end && charCodeAt(text, start) <= 0x20) start += 1;
    while (end > start && charCodeAt(text, end - 1) <= 0x20) end -= 1;
    return stringSlice(text, start, end);
  };

  const shortenPath = (url) => {
    const { path } = url;
    const keepsDrive = url.scheme === "file" && path.length === 1 && regExpExec(/^[A-Za-z]:$/, path[0]) !== null;
    if (!keepsDrive && path.length > 0) path.length -= 1;
  };
  // Appends the segments of `text`, which stands after the slash that opens the path.
  const appendPath = (url, text) => {
    let start = 0;
    for (let end = 0; end <= text.length; end++) {
      const isLast = end === text.length;
      if (!isLast && !isSlash(url, text[end])) continue;
      const segment = stringSlice(text, start, end);
      start = end + 1;
      if (regExpExec(/^(?:\.|%2e){2}$/i, segment) !== null) {
        shortenPath(url);
        if (isLast) url.path[url.path.length] = "";
      } else if (regExpExec(/^(?:\.|%2e)$/i, segment) !== null) {
        if (isLast) url.path[url.path.length] = "";
      } else {
        const isDrive = url.scheme === "file" && url.path.length === 0 && isDriveLetter(segment);
        url.path[url.path.length] = isDrive ? `${segment[0]}:` : percent.encode(segment, percent.pathSet);
      }
    }
  };
  // The standard's "path start": an absolute path, or an empty one, which only special URLs turn into "/".
  const startPath = (url, text) => {
    if (isSlash(url, text[0])) appendPath(url, stringSlice(text, 1));
    else if (text !== "" || isSpecial(url)) appendPath(url, text);
    return true;
  };

  const setCredentials = (url, text) => {
    const colon = indexOf(text, ":");
    url.username = percent.encode(colon === -1 ? text : stringSlice(text, 0, colon), percent.userinfoSet);
    url.password = colon === -1 ? "" : percent.encode(stringSlice(text, colon + 1), percent.userinfoSet);
  };
  // Sets a port of at most 65535 from decimal digits.
  const setPort = (url, digits) => {
    if (+digits > 65535) return false;
    url.port = +digits === defaultPorts[url.scheme] ? null : +digits;
    return true;
  };
  // Where the port's colon stands, outside the brackets of an IPv6 address; -1 without one.
  const portColon = (text) => {
    let inBrackets = false;
    for (let i = 0; i < text.length; i++) {
      if (text[i] === "[") inBrackets = true;
      else if (text[i] === "]") inBrackets = false;
      else if (text[i] === ":" && !inBrackets) return i;
    }
    return -1;
  };
  const authorityEnd = (url, text) => {
    let end = 0;
    while (end < text.length && !isSlash(url, text[end])) end += 1;
    return end;
  };
  const parseAuthority = (url, text) => {
    const end = authorityEnd(url, text);
    const authority = stringSlice(text, 0, end);
    const at = lastIndexOf(authority, "@");
    if (at !== -1) setCredentials(url, stringSlice(authority, 0, at));
    const hostAndPort = stringSlice(authority, at + 1);
    const colon = portColon(hostAndPort);
    const hostText = colon === -1 ? hostAndPort : stringSlice(hostAndPort, 0, colon);
    if (hostText === "") {
      if (isSpecial(url) || at !== -1 || colon !== -1) return false;
      url.host = "";
    } else {
      url.host = parseHost(hostText, isSpecial(url));
      if (url.host === null) return false;
    }
    if (colon !== -1) {
      const digits = stringSlice(hostAndPort, colon + 1);
      if (regExpExec(/^[0-9]*$/, digits) === null || (digits !== "" && !setPort(url, digits))) return false;
    }
    return startPath(url, stringSlice(text, end));
  };
  const skipSlashes = (text) => {
    let start = 0;
    while (text[start] === "/" || text[start] === "\\") start += 1;
    return stringSlice(text, start);
  };

  const parseFileHost = (url, text) => {
    const end = authorityEnd(url, text);
    const hostText = stringSlice(text, 0, end);
    if (isDriveLetter(hostText)) {
      appendPath(url, text);
      return true;
    }
    const host = hostText === "" ? "" : parseHost(hostText, true);
    if (host === null) return false;
    url.host = host === "localhost" ? "" : host;
    return startPath(url, stringSlice(text, end));
  };
  const parseFile = (url, text, base, hasQuery) => {
    const fileBase = base !== null && base.scheme === "file" && !isOpaque(base) ? base : null;
    url.host = "";
    if (isSlash(url, text[0])) {
      if (isSlash(url, text[1])) return parseFileHost(url, stringSlice(text, 2));
      const rest = stringSlice(text, 1);
      if (fileBase !== null) {
        url.host = fileBase.host;
        const drive = fileBase.path[0];
        if (!startsWithDriveLetter(rest) && drive !== undefined && regExpExec(/^[A-Za-z]:$/, drive) !== null) {
          url.path[0] = drive;
        }
      }
      appendPath(url, rest);
      return true;
    }
    if (fileBase === null) return startPath(url, text);
    url.host = fileBase.host;
    if (startsWithDriveLetter(text)) {
      appendPath(url, text);
      return true;
    }
    inheritPath(url, fileBase, text, hasQuery);
    return true;
  };

  const inheritPath = (url, base, text, hasQuery) => {
    url.path = arraySlice(base.path);
    if (text === "") {
      if (!hasQuery) url.query = base.query;
      return;
    }
    shortenPath(url);
    appendPath(url, text);
  };
  const parseRelative = (url, text, base, hasQuery) => {
    if (isSlash(url, text[0]) && isSlash(url, text[1])) {
      return parseAuthority(url, isSpecial(url) ? skipSlashes(text) : stringSlice(text, 2));
    }
    url.username = base.username;
    url.password = base.password;
    url.host = base.host;
    url.port = base.port;
    if (isSlash(url, text[0])) appendPath(url, stringSlice(text, 1));
    else inheritPath(url, base, text, hasQuery);
    return true;
  };

  // What follows the scheme.
  const parseAfterScheme = (url, text, base, hasQuery) => {
    if (url.scheme === "file") return parseFile(url, text, base, hasQuery);
    if (isSpecial(url)) {
      const relative = base !== null && base.scheme === url.scheme && !(text[0] === "/" && text[1] === "/");
      return relative ? parseRelative(url, text, base, hasQuery) : parseAuthority(url, skipSlashes(text));
    }
    if (text[0] === "/") {
      return text[1] === "/" ? parseAuthority(url, stringSlice(text, 2)) : startPath(url, text);
    }
    url.path = percent.encode(text, percent.controlSet);
    return true;
  };
  const parseWithoutScheme = (text, base, hasQuery, hasFragment) => {
    if (base === null) return null;
    const url = newUrl(base.scheme);
    if (isOpaque(base)) {
      if (text !== "" || hasQuery || !hasFragment) return null;
      url.path = base.path;
      url.query = base.query;
      return url;
    }
    const parse = base.scheme === "file" ? parseFile : parseRelative;
    return parse(url, text, base, hasQuery) ? url : null;
  };

  const setQuery = (url, text) => {
    url.query = percent.encode(text, isSpecial(url) ? percent.specialQuerySet : percent.querySet);
  };
  const setFragment = (url, text) => {
    url.fragment = percent.encode(text, percent.fragmentSet);
  };

  // A URL record, or null when `input` is no URL. `base` is a URL record or null.
  const parseUrl = (input, base) => {
    let text = removeTabsAndNewlines(trimControlsAndSpaces(input));
    const hash = indexOf(text, "#");
    const fragment = hash === -1 ? null : stringSlice(text, hash + 1);
    if (hash !== -1) text = stringSlice(text, 0, hash);
    const mark = indexOf(text, "?");
    const query = mark === -1 ? null : stringSlice(text, mark + 1);
    if (mark !== -1) text = stringSlice(text, 0, mark);

    const scheme = regExpExec(/^([a-z][a-z0-9+.-]*):/i, text);
    let url;
    if (scheme === null) {
      url = parseWithoutScheme(text, base, query !== null, fragment !== null);
    } else {
      url = newUrl(toLowerCase(scheme[1]));
      if (!parseAfterScheme(url, stringSlice(text, scheme[0].length), base, query !== null)) return null;
    }
    if (url === null) return null;
    if (query !== null) setQuery(url, query);
    if (fragment !== null) setFragment(url, fragment);
    return url;
  };

  const serializeHost = (url) => (url.port === null ? (url.host ?? "") : `${url.host}:${url.port}`);
  const serializePath = (url) => {
    if (isOpaque(url)) return url.path;
    return url.path.length === 0 ? "" : `/${arrayJoin(url.path, "/")}`;
  };
  const serializeUrl = (url) => {
    let text = `${url.scheme}:`;
    if (url.host !== null) {
      text += "//";
      if (url.username !== "" || url.password !== "") {
        text += `${url.username}${url.password === "" ? "" : `:${url.password}`}@`;
      }
      text += serializeHost(url);
    } else if (!isOpaque(url) && url.path.length > 1 && url.path[0] === "") {
      text += "/."; // otherwise the path would read as an authority
    }
    text += serializePath(url);
    if (url.query !== null) text += `?${url.query}`;
    return url.fragment === null ? text : `${text}#${url.fragment}`;
  };
  const serializeOrigin = (url) => {
    if (url.scheme === "blob" && isOpaque(url)) {
      const inner = parseUrl(url.path, null);
      return inner !== null && (inner.scheme === "http" || inner.scheme === "https") ? serializeOrigin(inner) : "null";
    }
    return isSpecial(url) && url.scheme !== "file" ? `${url.scheme}://${serializeHost(url)}` : "null";
  };

  prelude.url = {
    __proto__: null,
    authorityEnd, defaultPorts, isOpaque, isSpecial, parseUrl, portColon, removeTabsAndNewlines, serializeHost,
    serializeOrigin, serializePath, serializeUrl, setFragment, setPort, setQuery, startPath,
  };
})();
