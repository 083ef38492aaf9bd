"""Source bundles as the store has them."""

from .errors import StoreError
from .journal.blobs import DAMAGED_HINT
from .journal.bundles import get_bundle
from .journal.store import Store
from .languages.bundle import Bundle


def read_bundle(store: Store, digest: str, whose: str) -> Bundle:
    """The source of that hash; ``whose`` names it in errors.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        return Bundle.from_json(get_bundle(store, digest))
    except ValueError as error:
        raise StoreError(f"the source bundle of {whose} cannot be read: {error}", hint=DAMAGED_HINT) from None
