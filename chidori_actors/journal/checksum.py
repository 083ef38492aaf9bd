"""A CRC-32 before what is stored: LMDB itself does not notice when a byte on the disk has become another."""

import zlib

CHECKSUM_BYTES = 4


def with_checksum(body: bytes) -> bytes:
    """``body`` behind its checksum, 4 bytes."""
    return zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big") + body


def checked(value: bytes) -> bytes | None:
    """What ``with_checksum`` was given; None when it is not that any more."""
    body = value[CHECKSUM_BYTES:]
    return body if value[:CHECKSUM_BYTES] == zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "big") else None
