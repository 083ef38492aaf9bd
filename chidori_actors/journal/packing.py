"""How the memory of a VM lies in the store: a framed header, then the payload, compressed.

``length of the framed header (4 bytes) | framed header | payload``. The header stays readable when the payload is
damaged.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zstandard

from .framing import JsonObject, damaged, frame, unframe
from .store import Store

_LENGTH = struct.Struct(">I")
_LEVEL = 3
_HEADER, _SHA = "header", "payload_sha256"


@dataclass(frozen=True, slots=True)
class Packed:
    """A header and, still compressed, what was packed with it."""

    header: JsonObject
    _sha: str | None
    _compressed: bytes

    @property
    def has_payload(self) -> bool:
        """Whether one was packed, intact or not."""
        return self._sha is not None

    def payload(self) -> bytes | None:
        """The payload as it was given; None when it is damaged, or there was none."""
        if self._sha is None:
            return None
        try:
            payload = zstandard.decompress(self._compressed)
        except (zstandard.ZstdError, MemoryError):
            return None
        return payload if hashlib.sha256(payload).hexdigest() == self._sha else None


def pack(header: Mapping[str, Any], payload: bytes | None) -> bytes:
    """The stored form of both."""
    sha = None if payload is None else hashlib.sha256(payload).hexdigest()
    framed, _ = frame({_HEADER: dict(header), _SHA: sha}, ())
    compressed = b"" if payload is None else zstandard.compress(payload, _LEVEL)
    return b"".join((_LENGTH.pack(len(framed)), framed, compressed))


def unpack(store: Store, value: bytes, what: str) -> Packed:
    """The header, with the payload still to be looked at; ``what`` names it in errors.

    Raises:
        StoreError: the header is damaged.
    """
    end = _LENGTH.size + int.from_bytes(value[: _LENGTH.size], "big")
    fields, _ = unframe(store, value[_LENGTH.size : end], what)
    header, sha = fields.get(_HEADER), fields.get(_SHA)
    if not isinstance(header, dict) or not isinstance(sha, str | None):
        raise damaged(store, what)
    return Packed(header, sha, value[end:])
