"""How the memory of a VM lies in the store: a framed header, then the payload, compressed.

``length of the framed header (4 bytes) | framed header | payload``. The header stays readable when the payload is
damaged. The payload's hash is one of the key that it lies at too, so that the memory of one VM is never taken for that
of another, or for a later one of its own.
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
    _key: bytes
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
        return payload if _digest(self._key, payload) == self._sha else None


def pack(key: bytes, header: Mapping[str, Any], payload: bytes | None) -> bytes:
    """The stored form of both; ``key`` is where it will lie."""
    sha = None if payload is None else _digest(key, payload)
    framed, _ = frame({_HEADER: dict(header), _SHA: sha}, ())
    compressed = b"" if payload is None else zstandard.compress(payload, _LEVEL)
    return b"".join((_LENGTH.pack(len(framed)), framed, compressed))


def unpack(store: Store, key: bytes, value: bytes, what: str) -> Packed:
    """The header, with the payload still to be looked at; ``what`` names it in errors.

    Raises:
        StoreError: the header is damaged.
    """
    end = _LENGTH.size + int.from_bytes(value[: _LENGTH.size], "big")
    fields, _ = unframe(store, value[_LENGTH.size : end], what)
    header, sha = fields.get(_HEADER), fields.get(_SHA)
    if not isinstance(header, dict) or not isinstance(sha, str | None):
        raise damaged(store, what)
    return Packed(header, key, sha, value[end:])


def _digest(key: bytes, payload: bytes) -> str:
    digest = hashlib.sha256(key)
    digest.update(payload)
    return digest.hexdigest()
