"""Looks for a secret in everything that a store holds, VMs included, in whatever notation it may stand there."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import lmdb
import zstandard

from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.golden import PAGE
from chidori_actors.vm.image import Image

_IMAGES = ("images", "forks")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LARGEST = 256 << 20


def notations(secret: str) -> Mapping[str, bytes]:
    """What to look for, by the name of the notation."""
    data = secret.encode()
    wide = {f"UTF-16LE of {name}": text.encode("utf-16-le") for name, text in _texts(secret).items()}
    plain = {name: text.encode() for name, text in _texts(secret).items()}
    cores = {f"base64 at {start}": _core(data, start).encode() for start in range(3)}
    url_safe = {f"URL-safe {name}": core.translate(bytes.maketrans(b"+/", b"-_")) for name, core in cores.items()}
    return {**plain, **wide, **cores, **url_safe, "hex": data.hex().encode(), "HEX": data.hex().upper().encode()}


def leaks_in(text: str | bytes, *secrets: str) -> list[str]:
    """The notations in which any of ``secrets`` stands in ``text``."""
    data = text.encode() if isinstance(text, str) else text
    return [
        f"{secret[:3]}… as {name}" for secret in secrets for name, found in notations(secret).items() if found in data
    ]


def leaks_in_store(folder: Path, *secrets: str) -> list[str]:
    """Where any of ``secrets`` stands in the store ``folder``: in the keys and values of every database, unpacked; in
    the whole memory of every VM; in its files as they are. Nobody in this process may have the store open."""
    return [f"{place}: {leak}" for place, data in _contents(folder) for leak in leaks_in(data, *secrets)]


def vms_in_store(folder: Path) -> int:
    """How many memories of VMs the store holds."""
    return sum(place.startswith("VM ") for place, _ in _contents(folder))


def _texts(secret: str) -> dict[str, str]:
    percent = quote(secret, safe="")
    texts = {
        "text": secret,
        "JSON": json.dumps(secret)[1:-1],
        "UTF-8 JSON": json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    return {
        **texts,
        **{f"repr of {name}": repr(text)[1:-1] for name, text in texts.items()},
        **{f"repr of bytes of {name}": repr(text.encode())[2:-1] for name, text in texts.items()},
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "percent": percent,
        "lower-case percent": re.sub("%..", lambda found: found[0].lower(), percent),
        "form": quote_plus(secret),
    }


def _core(data: bytes, start: int) -> str:
    """The base64 digits that depend on ``data`` alone when ``start`` bytes stand before it."""
    with_one, with_other = (base64.b64encode(byte * start + data + byte * 3).decode() for byte in (b"\x00", b"\xff"))
    same = [index for index, (one, other) in enumerate(zip(with_one, with_other, strict=True)) if one == other]
    return with_one[same[0] : same[-1] + 1]


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield f"file {file.name}", file.read_bytes()
    for database, key, value in _pairs(folder):
        place = f"{database} {key!r}"
        unpacked = list(_unpacked(value))
        yield from ((place, data) for data in (key, value, *unpacked))
        if database in _IMAGES:
            yield from ((f"VM {place}", _memory(payload)) for payload in unpacked)


def _pairs(folder: Path) -> list[tuple[str, bytes, bytes]]:
    """All pairs, read beside the package's own code, so that no database is forgotten."""
    pairs: list[tuple[str, bytes, bytes]] = []
    with lmdb.open(str(folder), max_dbs=64, readonly=True, lock=False) as environment, environment.begin() as reading:
        names = [bytes(name) for name in reading.cursor().iternext(values=False)]
        for name in names:
            database = environment.open_db(name, reading, create=False)
            pairs += ((name.decode(), bytes(key), bytes(value)) for key, value in reading.cursor(database))
    assert pairs, "the store is empty"
    return pairs


def _unpacked(value: bytes) -> Iterator[bytes]:
    at = value.find(_ZSTD_MAGIC)
    while at >= 0:
        with suppress(zstandard.ZstdError):  # four bytes that only look like the beginning of a frame
            yield zstandard.ZstdDecompressor().decompress(value[at:], max_output_size=_LARGEST, allow_extra_data=True)
        at = value.find(_ZSTD_MAGIC, at + 1)


def _memory(payload: bytes) -> bytes:
    """The whole memory of the VM that is packed as its difference from a new one."""
    engine = load_engine()
    image = Image.decode(engine.golden, payload, engine.golden_memory)
    memory = bytearray(engine.golden_memory.ljust(image.memory_bytes, b"\x00"))
    for place, number in enumerate(image.numbers):
        memory[number * PAGE : (number + 1) * PAGE] = image.pages[place * PAGE : (place + 1) * PAGE]
    return bytes(memory)
