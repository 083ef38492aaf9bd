// TextEncoder and TextDecoder of the Encoding standard: UTF-8, UTF-16LE and windows-1252.
(() => {
  "use strict";
  const { primordials, define, hasBrand } = globalThis.__prelude;
  const {
    apply, byteLength, charCodeAt, fromCharCode, getterOf, isView, regExpExec, stringSlice, toLowerCase, toWellFormed,
    typedArrayLength, typedArrayName,
  } = primordials;
  const typedArrayPrototype = Reflect.getPrototypeOf(Uint8Array.prototype);
  const viewReaders = (prototype) => ({
    buffer: getterOf(prototype, "buffer"),
    byteOffset: getterOf(prototype, "byteOffset"),
    byteLength: getterOf(prototype, "byteLength"),
  });
  const typedArrayReaders = viewReaders(typedArrayPrototype);
  const dataViewReaders = viewReaders(DataView.prototype);
  const Bytes = Uint8Array;

  // Writes as much of the well-formed `text` as fits; with no `target` it only counts.
  const writeUtf8 = (text, target, capacity) => {
    let read = 0;
    let written = 0;
    while (read < text.length) {
      let point = charCodeAt(text, read);
      const units = point >= 0xd800 && point <= 0xdbff ? 2 : 1;
      if (units === 2) point = 0x10000 + ((point - 0xd800) << 10) + (charCodeAt(text, read + 1) - 0xdc00);
      const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
      if (written + size > capacity) break;
      if (target !== null) {
        if (size === 1) {
          target[written] = point;
        } else {
          for (let i = size - 1; i > 0; i--) {
            target[written + i] = 0x80 | (point & 0x3f);
            point >>= 6;
          }
          target[written] = (0xf00 >> size) | point;
        }
      }
      written += size;
      read += units;
    }
    return { read, written };
  };

  const encodeUtf8 = (text) => {
    const wellFormed = toWellFormed(text);
    const bytes = new Bytes(writeUtf8(wellFormed, null, Infinity).written);
    writeUtf8(wellFormed, bytes, Infinity);
    return bytes;
  };

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(input = "") {
      return encodeUtf8(`${input}`);
    }
    encodeInto(source, destination) {
      if (!isView(destination) || typedArrayName(destination) !== "Uint8Array") {
        throw new TypeError("TextEncoder.encodeInto: destination must be a Uint8Array");
      }
      return writeUtf8(toWellFormed(`${source}`), destination, typedArrayLength(destination));
    }
  }

  // Collects UTF-16 code units; flushed in chunks because apply() has a limit on arguments.
  const createTextBuilder = () => {
    let text = "";
    let units = [];
    const flush = () => {
      text += apply(fromCharCode, null, units);
      units = [];
    };
    const addUnit = (unit) => {
      units[units.length] = unit;
      if (units.length === 4096) flush();
    };
    const addPoint = (point) => {
      if (point < 0x10000) return addUnit(point);
      addUnit(0xd800 + ((point - 0x10000) >> 10));
      return addUnit(0xdc00 + ((point - 0x10000) & 0x3ff));
    };
    const finish = () => {
      flush();
      return text;
    };
    return { addUnit, addPoint, finish };
  };

  // Each decoder is a state machine over bytes: push(byte, out) and end(out); `malformed(out)` adds U+FFFD or
  // throws. The state survives between calls, which is what `stream: true` needs.
  const createUtf8Machine = (malformed) => {
    let point = 0;
    let needed = 0;
    let lower = 0x80;
    let upper = 0xbf;
    const start = (byte, out) => {
      if (byte < 0x80) return out.addUnit(byte);
      if (byte < 0xc2 || byte > 0xf4) return malformed(out);
      needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      point = byte & (0x3f >> needed);
      lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
      upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
      return undefined;
    };
    const push = (byte, out) => {
      if (needed === 0) return start(byte, out);
      if (byte < lower || byte > upper) {
        needed = 0;
        malformed(out);
        return start(byte, out);
      }
      lower = 0x80;
      upper = 0xbf;
      point = (point << 6) | (byte & 0x3f);
      needed -= 1;
      return needed === 0 ? out.addPoint(point) : undefined;
    };
    const end = (out) => {
      if (needed === 0) return;
      needed = 0;
      malformed(out);
    };
    return { push, end };
  };

  const createUtf16Machine = (malformed) => {
    let leadByte = -1;
    let leadSurrogate = -1;
    const addUnit = (unit, out) => {
      const isTrail = unit >= 0xdc00 && unit <= 0xdfff;
      if (leadSurrogate !== -1) {
        const lead = leadSurrogate;
        leadSurrogate = -1;
        if (isTrail) {
          out.addUnit(lead);
          return out.addUnit(unit);
        }
        malformed(out);
      }
      if (isTrail) return malformed(out);
      if (unit >= 0xd800 && unit <= 0xdbff) leadSurrogate = unit;
      else out.addUnit(unit);
      return undefined;
    };
    const push = (byte, out) => {
      if (leadByte === -1) {
        leadByte = byte;
        return;
      }
      const unit = leadByte | (byte << 8);
      leadByte = -1;
      addUnit(unit, out);
    };
    const end = (out) => {
      const unfinished = leadByte !== -1 || leadSurrogate !== -1;
      leadByte = leadSurrogate = -1;
      if (unfinished) malformed(out);
    };
    return { push, end };
  };

  // Bytes 0x80 to 0x9f of windows-1252, from the Encoding standard's index; the others are their code points.
  const windows1252 =
    "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
    "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
  const createWindows1252Machine = () => ({
    push: (byte, out) => out.addUnit(byte >= 0x80 && byte <= 0x9f ? charCodeAt(windows1252, byte - 0x80) : byte),
    end: () => {},
  });

  const machines = {
    __proto__: null,
    "utf-8": createUtf8Machine,
    "utf-16le": createUtf16Machine,
    "windows-1252": createWindows1252Machine,
  };
  const labels = { __proto__: null };
  for (const [encoding, names] of [
    ["utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8"],
    ["utf-16le", "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le"],
    [
      "windows-1252",
      "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 " +
        "iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    ],
  ]) {
    for (const name of names.split(" ")) labels[name] = encoding;
  }

  const viewOf = (input) => {
    if (input === undefined) return new Bytes(0);
    if (isView(input)) {
      const readers = typedArrayName(input) === undefined ? dataViewReaders : typedArrayReaders;
      return new Bytes(readers.buffer(input), readers.byteOffset(input), readers.byteLength(input));
    }
    if (hasBrand(byteLength, input)) return new Bytes(input);
    throw new TypeError("TextDecoder.decode: input must be an ArrayBuffer or a view of one");
  };

  class TextDecoder {
    #encoding;
    #fatal;
    #ignoreBOM;
    #machine = null;
    #bomSeen = false;

    constructor(label = "utf-8", options = undefined) {
      const name = toLowerCase(regExpExec(/^[\t\n\f\r ]*([^]*?)[\t\n\f\r ]*$/, `${label}`)[1]);
      if (labels[name] === undefined) {
        throw new RangeError(
          `TextDecoder: the encoding "${label}" is not supported; known are utf-8, utf-16le and windows-1252`,
        );
      }
      this.#encoding = labels[name];
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }
    get encoding() {
      return this.#encoding;
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }

    #malformed = (out) => {
      if (this.#fatal) throw new TypeError(`TextDecoder.decode: the data is not valid ${this.#encoding}`);
      out.addUnit(0xfffd);
    };

    decode(input = undefined, options = undefined) {
      const bytes = viewOf(input);
      const stream = Boolean(options?.stream);
      if (this.#machine === null) {
        this.#machine = machines[this.#encoding](this.#malformed);
        this.#bomSeen = this.#ignoreBOM || this.#encoding === "windows-1252";
      }
      const machine = this.#machine;
      const out = createTextBuilder();
      try {
        const length = typedArrayLength(bytes);
        for (let i = 0; i < length; i++) machine.push(bytes[i], out);
        if (!stream) {
          machine.end(out);
          this.#machine = null;
        }
      } catch (error) {
        this.#machine = null;
        throw error;
      }
      return this.#withoutBom(out.finish());
    }
    #withoutBom(text) {
      if (this.#bomSeen || text === "") return text;
      this.#bomSeen = true;
      return charCodeAt(text, 0) === 0xfeff ? stringSlice(text, 1) : text;
    }
  }

  for (const Class of [TextEncoder, TextDecoder]) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
    define(Class.name, Class);
  }
  globalThis.__prelude.encodeUtf8 = encodeUtf8;
  // The first `length` bytes; malformed ones become U+FFFD, a byte order mark stays.
  globalThis.__prelude.decodeUtf8 = (bytes, length) => {
    const out = createTextBuilder();
    const machine = createUtf8Machine((builder) => builder.addUnit(0xfffd));
    for (let i = 0; i < length; i++) machine.push(bytes[i], out);
    machine.end(out);
    return out.finish();
  };
})();
