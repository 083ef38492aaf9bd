"""The store that the settings name, for commands that run nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..journal.local_store import LocalStore
from ..journal.store import Store
from ..settings import load_settings


@contextmanager
def open_store(*, create: bool = False) -> Iterator[Store]:
    """The store, closed at the end of the block; with ``create`` it is made when there is none.

    Raises:
        StoreError: it cannot be opened.
    """
    settings = load_settings()
    store = LocalStore.open(settings.store, durability=settings.durability, create=create)
    try:
        yield store
    finally:
        store.close()
