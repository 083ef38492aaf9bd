// Hosts of the URL standard: domains, IPv4, IPv6 and opaque hosts. Every parser returns null for a failure.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { arrayJoin, arraySlice, charCodeAt, codePointAt, fromCodePoint, indexOf, lastIndexOf, normalize, numberToString,
    regExpExec, stringSlice, toLowerCase, uncurryThis } = prelude.primordials;
  const { percent } = prelude;
  const split = uncurryThis(String.prototype.split);
  const { parseInt } = globalThis;
  const { floor } = Math;

  const forbiddenInHost = /[\0\t\n\r #/:<>?@[\\\]^|]/;
  const forbiddenInDomain = /[\0-\x20#/:<>?@[\\\]^|%\x7f]/;

  // RFC 3492, section 6.1 and 6.3.
  const adaptBias = (delta, points, first) => {
    let k = 0;
    let rest = first ? floor(delta / 700) : floor(delta / 2);
    rest += floor(rest / points);
    for (; rest > 455; k += 36) rest = floor(rest / 35);
    return k + floor((36 * rest) / (rest + 38));
  };
  const punycodeDigit = (digit) => fromCodePoint(digit < 26 ? digit + 97 : digit + 22);
  const variableLengthInteger = (delta, bias) => {
    let text = "";
    let rest = delta;
    for (let k = 36; ; k += 36) {
      const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
      if (rest < threshold) return text + punycodeDigit(rest);
      text += punycodeDigit(threshold + ((rest - threshold) % (36 - threshold)));
      rest = floor((rest - threshold) / (36 - threshold));
    }
  };
  const toPunycode = (label) => {
    const points = [];
    let output = "";
    for (let i = 0; i < label.length; i++) {
      const point = codePointAt(label, i);
      if (point > 0xffff) i += 1;
      points[points.length] = point;
      if (point < 0x80) output += fromCodePoint(point);
    }
    const basicLength = output.length;
    if (basicLength > 0) output += "-";
    let current = 0x80;
    let delta = 0;
    let bias = 72;
    let handled = basicLength;
    while (handled < points.length) {
      let next = 0x110000;
      for (let i = 0; i < points.length; i++) if (points[i] >= current && points[i] < next) next = points[i];
      delta += (next - current) * (handled + 1);
      current = next;
      for (let i = 0; i < points.length; i++) {
        if (points[i] < current) delta += 1;
        if (points[i] !== current) continue;
        output += variableLengthInteger(delta, bias);
        bias = adaptBias(delta, handled + 1, handled === basicLength);
        delta = 0;
        handled += 1;
      }
      delta += 1;
      current += 1;
    }
    return `xn--${output}`;
  };

  // Not the whole of UTS #46: compatibility normalisation and lower case stand in for its mapping table, its
  // validity rules (bidirectional text, contextual joiners) and the check of existing xn-- labels are left out.
  const domainToAscii = (domain) => {
    if (regExpExec(/[^\0-\x7f]/, domain) === null) return toLowerCase(domain);
    const composed = normalize(toLowerCase(normalize(domain, "NFKC")), "NFKC");
    let mapped = "";
    for (let i = 0; i < composed.length; i++) {
      if (indexOf("\u00ad\u200b\u2060\ufeff", composed[i]) === -1) mapped += composed[i];
    }
    const labels = split(arrayJoin(split(mapped, "\u3002"), "."), ".");
    for (let i = 0; i < labels.length; i++) {
      if (regExpExec(/[^\0-\x7f]/, labels[i]) !== null) labels[i] = toPunycode(labels[i]);
    }
    return arrayJoin(labels, ".");
  };

  const parseIpv4Number = (text) => {
    if (text === "") return null;
    if (regExpExec(/^0x[0-9a-f]*$/i, text) !== null) return text.length === 2 ? 0 : parseInt(stringSlice(text, 2), 16);
    if (text.length > 1 && text[0] === "0") return regExpExec(/^[0-7]+$/, text) === null ? null : parseInt(text, 8);
    return regExpExec(/^[0-9]+$/, text) === null ? null : parseInt(text, 10);
  };
  const labelsOf = (domain) => {
    const labels = split(domain, ".");
    const last = labels.length - 1;
    return last > 0 && labels[last] === "" ? arraySlice(labels, 0, last) : labels;
  };
  const endsInNumber = (domain) => {
    const labels = labelsOf(domain);
    const last = labels[labels.length - 1];
    return regExpExec(/^[0-9]+$/, last) !== null || regExpExec(/^0x[0-9a-f]*$/i, last) !== null;
  };
  const parseIpv4 = (domain) => {
    const labels = labelsOf(domain);
    if (labels.length > 4) return null;
    let address = 0;
    for (let i = 0; i < labels.length; i++) {
      const number = parseIpv4Number(labels[i]);
      const isLast = i === labels.length - 1;
      if (number === null || number >= (isLast ? 256 ** (5 - labels.length) : 256)) return null;
      address += isLast ? number : number * 256 ** (3 - i);
    }
    return `${floor(address / 2 ** 24)}.${floor(address / 2 ** 16) % 256}.${floor(address / 256) % 256}.${address % 256}`;
  };

  // The dotted decimal end of an IPv6 address as two pieces; no leading zeros, unlike in parseIpv4.
  const parseEmbeddedIpv4 = (text) => {
    const match = regExpExec(/^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/, text);
    if (match === null) return null;
    for (let i = 1; i <= 4; i++) if (+match[i] > 255) return null;
    return [match[1] * 256 + +match[2], match[3] * 256 + +match[4]];
  };
  const parsePieces = (text, mayEndInIpv4) => {
    if (text === "") return [];
    const parts = split(text, ":");
    const pieces = [];
    for (let i = 0; i < parts.length; i++) {
      if (mayEndInIpv4 && i === parts.length - 1 && indexOf(parts[i], ".") !== -1) {
        const pair = parseEmbeddedIpv4(parts[i]);
        if (pair === null) return null;
        pieces[pieces.length] = pair[0];
        pieces[pieces.length] = pair[1];
      } else {
        if (regExpExec(/^[0-9a-f]{1,4}$/i, parts[i]) === null) return null;
        pieces[pieces.length] = parseInt(parts[i], 16);
      }
    }
    return pieces;
  };
  const longestZeroRun = (pieces) => {
    let best = { start: -1, length: 1 };
    for (let i = 0; i < 8; i++) {
      let end = i;
      while (end < 8 && pieces[end] === 0) end += 1;
      if (end - i > best.length) best = { start: i, length: end - i };
      if (end > i) i = end;
    }
    return best;
  };
  const serializeIpv6 = (pieces) => {
    const zeros = longestZeroRun(pieces);
    let text = "";
    for (let i = 0; i < 8; i++) {
      if (i === zeros.start) {
        text += i === 0 ? "::" : ":";
        i += zeros.length - 1;
        continue;
      }
      text += numberToString(pieces[i], 16);
      if (i < 7) text += ":";
    }
    return `[${text}]`;
  };
  const parseIpv6 = (text) => {
    const gap = indexOf(text, "::");
    const head = parsePieces(gap === -1 ? text : stringSlice(text, 0, gap), gap === -1);
    const tail = gap === -1 ? [] : parsePieces(stringSlice(text, gap + 2), true);
    if (head === null || tail === null) return null;
    const missing = 8 - head.length - tail.length;
    if (gap === -1 ? missing !== 0 : missing < 1) return null;
    const pieces = arraySlice(head);
    for (let i = 0; i < missing; i++) pieces[pieces.length] = 0;
    for (let i = 0; i < tail.length; i++) pieces[pieces.length] = tail[i];
    return serializeIpv6(pieces);
  };

  // The serialised host, or null for a failure. `special` is whether the URL's scheme is a special one.
  prelude.parseHost = (text, special) => {
    if (charCodeAt(text, 0) === 0x5b) {
      return lastIndexOf(text, "]") === text.length - 1 ? parseIpv6(stringSlice(text, 1, -1)) : null;
    }
    if (!special) {
      return regExpExec(forbiddenInHost, text) === null ? percent.encode(text, percent.controlSet) : null;
    }
    const domain = domainToAscii(percent.decode(text));
    if (domain === "" || regExpExec(forbiddenInDomain, domain) !== null) return null;
    return endsInNumber(domain) ? parseIpv4(domain) : domain;
  };
})();
