"""Reading a range of keys piece by piece, so that no transaction is open while the reader works."""

from collections.abc import Iterator
from typing import Protocol

from .writes import Database

CHUNK_ITEMS = 256
_MAX_KEY = 511

Pairs = list[tuple[bytes, bytes]]


class ReadChunk(Protocol):
    """Some pairs from ``position`` on (None: from the very first or last key), without the key ``seen``, and whether
    there may be more. ``values``: with the values, which are empty otherwise. Positional arguments only."""

    def __call__(
        self,
        database: Database,
        prefix: bytes,
        position: bytes | None,
        seen: bytes | None,
        reverse: bool,
        items: int,
        values: bool,
        /,
    ) -> tuple[Pairs, bool]: ...


def read_pairs(
    read: ReadChunk,
    database: Database,
    prefix: bytes,
    start: bytes | None,
    reverse: bool,
    limit: int | None,
    values: bool,
) -> Iterator[tuple[bytes, bytes]]:
    """The pairs that ``Store.scan`` gives, as ``read`` reads them; without ``values`` those of ``Store.keys``."""
    position = _first_position(prefix, start, reverse)
    seen: bytes | None = None
    left = limit
    while left is None or left > 0:
        items = CHUNK_ITEMS if left is None else min(left, CHUNK_ITEMS)
        chunk, more = read(database, prefix, position, seen, reverse, items, values)
        yield from chunk
        if not more:
            return
        position = seen = chunk[-1][0]
        if left is not None:
            left -= len(chunk)


def _first_position(prefix: bytes, start: bytes | None, reverse: bool) -> bytes | None:
    """Where a scan begins; None for the very first or last key."""
    if not reverse:
        return max(prefix, start or b"") or None
    # Every key with the prefix is at most this one, because none is longer.
    last = prefix + b"\xff" * (_MAX_KEY - len(prefix)) if prefix else None
    return last if start is None else start if last is None else min(start, last)
