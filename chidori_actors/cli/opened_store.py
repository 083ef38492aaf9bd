"""The store that the settings name, for commands that run nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..journal.local_store import LocalStore
from ..journal.store import Store
from .placement import command_settings


@contextmanager
def open_store(*, create: bool = False) -> Iterator[Store]:
    """The store, that of the cluster when one is named, closed at the end of the block; with ``create`` it is made when
    there is none.

    Raises:
        StoreError: it cannot be opened.
        UsageError: there is no such cluster.
    """
    settings = command_settings()
    if settings.ray_address is not None:
        from ..placement.clusters import find_system  # of no use to most commands

        with find_system(f"--address {settings.ray_address}").open_store(settings) as store:
            yield store
        return
    opened = LocalStore.open(settings.store, durability=settings.durability, create=create)
    try:
        yield opened
    finally:
        opened.close()
