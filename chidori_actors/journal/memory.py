"""The project's memory in the store: namespaces of keys and JSON texts."""

import hashlib

import orjson

from .checksum import checked, with_checksum
from .framing import damaged
from .store import Store, Write

_NAMESPACE_BYTES = 16
_LONGEST_KEY = 400


class StoredMemory:
    """Reads and writes of memory, as ``host.function.MemoryReader`` wants them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, namespace: str, key: str) -> bytes | None:
        """The JSON text at ``key``, or None."""
        stored = self._store.get("memory", _key(namespace, key))
        return None if stored is None else self._decode(stored)[1]

    def scan(self, namespace: str, prefix: str) -> list[tuple[str, bytes]]:
        """Every key that begins with ``prefix`` and its JSON text, in the order of the keys' UTF-8 bytes."""
        wanted = prefix.encode()
        within = _namespace(namespace) + wanted[:_LONGEST_KEY]
        found = [self._decode(value) for _, value in self._store.scan("memory", within)]
        # Long keys lie in the order of their hash, so they are put in order here, and their rest is compared.
        pairs = [(key, value) for key, value in found if key.startswith(prefix)]
        return sorted(pairs, key=lambda pair: pair[0].encode())

    def put(self, namespace: str, key: str, value: bytes) -> Write:
        """The write that sets ``key`` to the JSON text ``value``."""
        return Write("memory", _key(namespace, key), with_checksum(orjson.dumps(key) + b"\n" + value))

    def delete(self, namespace: str, key: str) -> Write:
        """The write that removes ``key``."""
        return Write("memory", _key(namespace, key), None)

    def _decode(self, stored: bytes) -> tuple[str, bytes]:
        body = checked(stored)
        if not body:
            raise damaged(self._store, "a value of memory")
        line, _, value = body.partition(b"\n")
        return orjson.loads(line), value


def _namespace(namespace: str) -> bytes:
    return hashlib.sha256(namespace.encode()).digest()[:_NAMESPACE_BYTES]


def _key(namespace: str, key: str) -> bytes:
    """The key in the database: LMDB's have 511 bytes at the most, so a long one ends in its hash."""
    encoded = key.encode()
    if len(encoded) > _LONGEST_KEY:
        encoded = encoded[:_LONGEST_KEY] + hashlib.sha256(encoded).digest()
    return _namespace(namespace) + encoded
