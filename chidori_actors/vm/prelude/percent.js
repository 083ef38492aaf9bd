// Percent-encoding of the URL standard: encode sets and the form encoding of URLSearchParams.
(() => {
  "use strict";
  const prelude = globalThis.__prelude;
  const { decodeUtf8, encodeUtf8, primordials } = prelude;
  const { charCodeAt, fromCharCode, indexOf } = primordials;
  const { Uint8Array } = globalThis;

  const hexDigits = "0123456789ABCDEF";
  const hexValue = (code) => {
    if (code >= 0x30 && code <= 0x39) return code - 0x30;
    const lower = code | 0x20;
    return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
  };

  // An encode set is a string of ASCII characters beyond the C0 controls and non-ASCII, which all sets contain.
  const fragmentSet = ' "<>`';
  const querySet = ' "#<>';
  const specialQuerySet = `${querySet}'`;
  const pathSet = `${querySet}?^\`{}`;
  const userinfoSet = `${pathSet}/:;=@[\\]|`;
  const componentSet = `${userinfoSet}$%&+,`;
  const formSet = `${componentSet}!'()~`;

  const percentEncode = (text, encodeSet) => {
    const bytes = encodeUtf8(text);
    let encoded = "";
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      const character = fromCharCode(byte);
      if (byte < 0x20 || byte > 0x7e || indexOf(encodeSet, character) !== -1) {
        encoded += `%${hexDigits[byte >> 4]}${hexDigits[byte & 15]}`;
      } else {
        encoded += character;
      }
    }
    return encoded;
  };

  // Bytes that are no valid UTF-8 become U+FFFD; a `%` without two hexadecimal digits stays.
  const percentDecode = (text, plusIsSpace = false) => {
    const source = encodeUtf8(text);
    const bytes = new Uint8Array(source.length);
    let length = 0;
    for (let i = 0; i < source.length; i++) {
      let byte = source[i];
      if (byte === 0x2b && plusIsSpace) {
        byte = 0x20;
      } else if (byte === 0x25 && i + 2 < source.length) {
        const high = hexValue(source[i + 1]);
        const low = hexValue(source[i + 2]);
        if (high !== -1 && low !== -1) {
          byte = high * 16 + low;
          i += 2;
        }
      }
      bytes[length] = byte;
      length += 1;
    }
    return decodeUtf8(bytes, length);
  };

  const formEncode = (text) => {
    const encoded = percentEncode(text, formSet);
    let result = "";
    for (let i = 0; i < encoded.length; i++) {
      const isSpace = charCodeAt(encoded, i) === 0x25 && encoded[i + 1] === "2" && encoded[i + 2] === "0";
      result += isSpace ? "+" : encoded[i];
      if (isSpace) i += 2;
    }
    return result;
  };

  prelude.percent = {
    __proto__: null,
    decode: percentDecode,
    encode: percentEncode,
    formDecode: (text) => percentDecode(text, true),
    formEncode,
    controlSet: "",
    fragmentSet,
    pathSet,
    querySet,
    specialQuerySet,
    userinfoSet,
  };
})();
