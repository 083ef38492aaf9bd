"""Which run a client's idempotency key stands for."""

import hashlib

from .store import Store
from .writes import Write


def key_write(key: str, run_id: str) -> Write:
    """The write after which the key stands for that run."""
    return Write("meta", _place(key), run_id.encode())


def run_of_key(store: Store, key: str) -> str | None:
    """The id of the run that the key stands for, None when it was not seen or the run was removed."""
    run_id = store.get("meta", _place(key))
    return None if run_id is None or store.get("runs", run_id) is None else run_id.decode()


def drop_key_writes(store: Store, key: str | None, run_id: str) -> list[Write]:
    """The writes after which the key does not stand for that run any more."""
    if key is None or store.get("meta", _place(key)) != run_id.encode():
        return []
    return [Write("meta", _place(key), None)]


def _place(key: str) -> bytes:
    # Of any length: the store's own keys are short.
    return b"idempotency/" + hashlib.sha256(key.encode()).digest()
