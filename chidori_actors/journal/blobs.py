"""Large values by their SHA-256: stored once however often they occur, compressed."""

import hashlib

import zstandard

from ..errors import StoreError
from .store import Database, Store, Write

_LEVEL = 3
DAMAGED_HINT = "restore the store from a backup, or start the run anew; other runs are not touched by it"


def blob_write(data: bytes) -> tuple[str, Write]:
    """The SHA-256 of ``data`` (hexadecimal) and the write that stores it."""
    digest = hashlib.sha256(data)
    return digest.hexdigest(), Write("blobs", digest.digest(), zstandard.compress(data, _LEVEL))


def _stored(store: Store, key: bytes) -> bytes | None:
    """The stored form; ``collection`` may hold it as condemned for a while, or be putting it back right now."""
    databases: tuple[Database, ...] = ("blobs", "condemned", "blobs")
    found = (store.get(database, key) for database in databases)
    return next((value for value in found if value is not None), None)


def get_blob(store: Store, digest: str, what: str = "a value") -> bytes:
    """The data whose SHA-256 is ``digest``; ``what`` names it in errors.

    Raises:
        StoreError: it is not in the store, or what is there has another hash.
    """
    try:
        key = bytes.fromhex(digest)
    except ValueError:
        key = b""
    stored = _stored(store, key) if key else None
    if stored is not None:
        try:
            data = zstandard.decompress(stored)
        except (zstandard.ZstdError, MemoryError):
            data = None
        if data is not None and hashlib.sha256(data).digest() == key:
            return data
    state = "missing" if stored is None else "damaged"
    raise StoreError(
        f"{what} in the store {store.path} is {state} (blob {digest[:16]}…)",
        hint=DAMAGED_HINT,
    )
