"""Decoding of ``Content-Encoding`` piece by piece, so that a small response cannot unpack into a large memory."""

import zlib
from collections.abc import Iterator
from typing import Protocol

ACCEPT_ENCODING = "gzip, deflate"
"""What a request offers to decode: zlib is always there, and takes a bound for each step."""

_PIECE = 64 << 10
_MOST_ENCODINGS = 3
# A member of 20 bytes can unpack to nothing: without a bound, small members would cost far more than their bytes.
_MOST_MEMBERS = 1000
_GZIP = 16 + zlib.MAX_WBITS


class EncodingError(ValueError):
    """The body cannot be decoded; the text says why."""


class TooLarge(Exception):
    """The body, or what one of its encodings unpacks to, is larger than the cap."""


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _wbits(encoding: str, first_byte: int) -> int:
    """zlib's name of a format. Many servers send raw DEFLATE as ``deflate``, which lacks the header of zlib."""
    if encoding == "gzip":
        return _GZIP
    return zlib.MAX_WBITS if first_byte & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS


class _Inflater:
    """One encoding: gives at most ``cap`` bytes."""

    def __init__(self, encoding: str, cap: int) -> None:
        self._encoding = encoding
        self._left = cap
        self._members = 0
        self._stream: _Stream | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` unpacks to, in pieces that are made one at a time."""
        while True:
            if self._stream is None or self._stream.eof:
                if not data:
                    return
                self._stream = self._next_member(data)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error:
                raise self._broken("is not valid") from None
            data = self._stream.unconsumed_tail or self._stream.unused_data
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge
            if piece:
                yield piece
            # A full piece may leave some output inside zlib although it has taken all of the input.
            if not data and len(piece) < _PIECE:
                return

    def finish(self) -> None:
        """The input is complete. Raises ``EncodingError`` when it was cut."""
        if self._stream is not None and not self._stream.eof:
            raise self._broken("ended early")

    def _next_member(self, data: bytes) -> _Stream:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise self._broken(f"has more than {_MOST_MEMBERS} parts")
        return zlib.decompressobj(_wbits(self._encoding, data[0]))

    def _broken(self, fault: str) -> EncodingError:
        return EncodingError(f"the body is sent as {self._encoding}, but {fault}")


class BodyDecoder:
    """Collects a body's decoded bytes.

    Args:
        content_encoding: The value of the header ``Content-Encoding``; several encodings are undone last to first.
        cap: The most bytes that may arrive, and that each of the encodings may unpack to. What is held at any time
            is the decoded bytes and one piece of 64 KiB for each encoding.
    """

    def __init__(self, content_encoding: str, cap: int) -> None:
        given = [name.strip().lower().removeprefix("x-") for name in content_encoding.split(",")]
        self._encodings = [name for name in given if name not in ("", "identity")]
        self._left = cap
        self._body = bytearray()
        self._inflaters: list[_Inflater] | None = None
        self._cap = cap

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrive.

        Raises:
            EncodingError: they cannot be decoded.
            TooLarge: they are more than the cap, or unpack to more.
        """
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        if self._inflaters is None:  # not earlier: a response without a body may name any encoding
            self._inflaters = self._made()
        self._decode(data, 0)

    def finish(self) -> bytearray:
        """The decoded body. Raises ``EncodingError`` when it was cut."""
        for inflater in self._inflaters or ():
            inflater.finish()
        return self._body

    def _decode(self, data: bytes, layer: int) -> None:
        if self._inflaters is None or layer == len(self._inflaters):
            self._body += data
            return
        for piece in self._inflaters[layer].feed(data):
            self._decode(piece, layer + 1)

    def _made(self) -> list[_Inflater]:
        for name in self._encodings:
            if name not in ("gzip", "deflate"):
                raise EncodingError(
                    f"the body is sent as {name[:40]!r}, which http cannot decode: ask for gzip or deflate"
                )
        if len(self._encodings) > _MOST_ENCODINGS:
            raise EncodingError(f"the body is encoded {len(self._encodings)} times; {_MOST_ENCODINGS} is the most")
        return [_Inflater(name, self._cap) for name in reversed(self._encodings)]
