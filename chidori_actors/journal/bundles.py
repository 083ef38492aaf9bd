"""The source bundle of a run, by its hash."""

from .blobs import blob_write, get_blob
from .store import Store, Write


def bundle_write(data: bytes) -> tuple[str, Write]:
    """The hash of the bundle (SHA-256, hexadecimal; ``RunMeta.bundle``) and the write that stores it."""
    return blob_write(data)


def get_bundle(store: Store, digest: str) -> bytes:
    """The bundle of that hash.

    Raises:
        StoreError: it is missing or damaged.
    """
    return get_blob(store, digest, "the source bundle")
