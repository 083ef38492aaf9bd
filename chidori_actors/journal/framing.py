"""How a value lies in the store: a checksum, a header of JSON, and JSON texts exactly as they were given.

``crc32 (4 bytes) | header | "\\n" | texts one after the other``. The header's field ``raw`` says for each
text where it is: its length when it follows, the SHA-256 of a blob when it is large, null when there is
none. Texts are never parsed here, so numbers and escapes come back byte for byte.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson

from .. import exact_json
from ..errors import StoreError
from .blobs import DAMAGED_HINT, blob_write, get_blob
from .checksum import checked, with_checksum
from .store import Store, Write

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

INLINE_LIMIT = 4096
_RAW = "raw"
_DIGEST = re.compile(rb'"([0-9a-f]{64})"')

JsonObject = dict[str, Any]


def frame(header: JsonObject, texts: tuple[bytes | None, ...]) -> tuple[bytes, list[Write]]:
    """The framed value, and the blobs that hold those of ``texts`` that are larger than 4 KB."""
    places: list[int | str | None] = []
    inline: list[bytes] = []
    blobs: list[Write] = []
    for text in texts:
        if text is None:
            places.append(None)
        elif len(text) <= INLINE_LIMIT:
            places.append(len(text))
            inline.append(text)
        else:
            digest, write = blob_write(text)
            places.append(digest)
            blobs.append(write)
    body = b"".join((_dump({**header, _RAW: places}), b"\n", *inline))
    return with_checksum(body), blobs


def unframe(store: Store, value: bytes, what: str) -> tuple[JsonObject, list[bytes | None]]:
    """The header and the texts of a framed value; ``what`` names it in errors.

    Raises:
        StoreError: the value is damaged, or a blob of it is.
    """
    return _unframe(store, value, what, lambda digest: get_blob(store, digest, what))


def unframe_inline(store: Store, value: bytes, what: str) -> tuple[JsonObject, list[bytes | None]]:
    """The same without a look at blobs: a text that is in one is empty, which JSON never is.

    Raises:
        StoreError: the value is damaged.
    """
    return _unframe(store, value, what, lambda digest: b"")


def _unframe(
    store: Store, value: bytes, what: str, blob: Callable[[str], bytes]
) -> tuple[JsonObject, list[bytes | None]]:
    header, places, rest = _split(store, value, what)
    texts: list[bytes | None] = []
    for place in places:
        if isinstance(place, str):
            texts.append(blob(place))
        elif place is None:
            texts.append(None)
        else:
            texts.append(rest[:place])
            rest = rest[place:]
    return header, texts


def read_header(store: Store, value: bytes, what: str) -> JsonObject:
    """The header alone, without a look at the texts.

    Raises:
        StoreError: the value is damaged.
    """
    return _split(store, value, what)[0]


def _split(store: Store, value: bytes, what: str) -> tuple[JsonObject, list[Any], bytes]:
    """Header, places of the texts, and the texts that follow."""
    body = checked(value)
    if body is None:
        raise damaged(store, what)
    line, _, rest = body.partition(b"\n")
    try:
        header = _load(line)
    except ValueError as error:
        raise damaged(store, what) from error
    places = header.pop(_RAW, None) if isinstance(header, dict) else None
    if not isinstance(places, list):
        raise damaged(store, what)
    return header, places, rest


def frame_fields(instance: "DataclassInstance", texts: Sequence[str]) -> tuple[bytes, list[Write]]:
    """A dataclass as a framed value: the fields named by ``texts`` are its texts, the others its header."""
    header = {field.name: getattr(instance, field.name) for field in fields(instance) if field.name not in texts}
    return frame(header, tuple(getattr(instance, name) for name in texts))


def unframe_fields(
    store: Store, value: bytes, what: str, kind: "type[DataclassInstance]", texts: Sequence[str], *, blobs: bool = True
) -> dict[str, Any]:
    """The fields of a ``kind`` from what ``frame_fields`` made; those that it did not have then are left out. Without
    ``blobs``, texts that lie in one are empty.

    Raises:
        StoreError: the value is damaged, or a blob of it is.
    """
    header, found = (unframe if blobs else unframe_inline)(store, value, what)
    if len(found) != len(texts):
        raise damaged(store, what)
    known = {field.name: header[field.name] for field in fields(kind) if field.name in header}
    return {**known, **dict(zip(texts, found, strict=True))}


def blob_references(value: bytes) -> list[bytes]:
    """The keys of all blobs that a framed value, damaged or not, may refer to, and perhaps of some that it does not."""
    return [bytes.fromhex(digest.decode()) for digest in _DIGEST.findall(value)]


def damaged(store: Store, what: str) -> StoreError:
    """The error for a value that cannot be what was written."""
    return StoreError(
        f"{what} in the store {store.path} is damaged",
        hint=DAMAGED_HINT,
    )


def _dump(header: JsonObject) -> bytes:
    try:
        return exact_json.dumps(header)
    except TypeError:
        # orjson refuses lone surrogates, which an error's data may hold.
        return json.dumps(header, separators=(",", ":")).encode()


def _load(line: bytes) -> Any:
    try:
        return exact_json.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)
