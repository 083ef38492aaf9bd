"""How a value looks after a server has put it into JSON, a URL, a page, a program, base64 or hexadecimal digits."""

import base64
import re
from collections.abc import Iterator
from itertools import groupby

# What none of these notations changes.
_UNCHANGED = re.compile(r"[A-Za-z0-9._~-]")
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
# JSON in JSON in JSON. Unbounded, a run of backslashes could be matched in ever so many ways.
_LEVELS = 3
_ESCAPES = 2**_LEVELS - 1


def spellings(value: str) -> Iterator[tuple[int, str]]:
    """Regular expressions that match ``value`` in these notations, each with the length of what it matches, about."""
    yield len(value), "".join(_run(char, len(list(group))) for char, group in groupby(value))
    data = value.encode("utf-8", "replace")
    for start in range(3):
        core = _base64_core(data, start)
        yield len(core), re.escape(core).replace(r"\+", r"(?:\+|-|%2B)").replace("/", r"(?:\\?/|_|%2F)")
    yield 2 * len(data), data.hex()
    yield 2 * len(data), data.hex().upper()


def _run(char: str, count: int) -> str:
    if char == "\\":
        return rf"(?:\\{{{count},{count << _LEVELS}}}|(?:%(?:25){{0,2}}5[Cc]){{{count}}})"
    return (re.escape(char) if _UNCHANGED.fullmatch(char) else _changed(char)) * count


def _changed(char: str) -> str:
    code, data = ord(char), char.encode("utf-8", "replace")
    units = re.findall("....", char.encode("utf-16-be", "surrogatepass").hex())
    found = [
        rf"\\{{0,{_ESCAPES}}}{re.escape(char)}",
        "".join(rf"\\{{1,{_ESCAPES}}}u(?i:{unit})" for unit in units),
        "".join(f"%(?:25){{0,2}}(?i:{byte:02x})" for byte in data),
        "".join(rf"\\{{1,{_ESCAPES}}}x(?i:{byte:02x})" for byte in data),
        rf"&(?:amp;)?#(?:0{{0,4}}{code}|[xX]0{{0,4}}(?i:{code:x}));",
    ]
    if char in _SHORT_ESCAPES:
        found.append(rf"\\{{1,{_ESCAPES}}}{_SHORT_ESCAPES[char]}")
    if char in _ENTITIES:
        found.append(f"&(?:amp;)?{_ENTITIES[char]};")
    if char == " ":
        found.append(r"\+")
    if data == b"?":  # half a character, which is sent as a question mark
        found.append(r"[?\ufffd]")
    return f"(?:{'|'.join(found)})"


def _base64_core(data: bytes, start: int) -> str:
    """The digits that ``data`` alone decides when it begins ``start`` bytes after a group of three does."""
    digits = base64.b64encode(bytes(start) + data).decode()
    return digits[(start * 8 + 5) // 6 : (start + len(data)) * 8 // 6]
