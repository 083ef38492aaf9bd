"""The two entries of a call in its lane, read when somebody is to see what is in them."""

from ..journal.lanes import Entry, Settled, Started, read_lane
from ..journal.store import Store
from .pictured import PicturedCall


def started_entry(store: Store, call: PicturedCall, *, blobs: bool = True) -> Started | None:
    """The call as it was made; None for one that is not in the store yet. ``blobs``: see ``read_lane``.

    Raises:
        StoreError: the entry is damaged.
    """
    entry = _entry(store, call, call.started, blobs)
    return entry if isinstance(entry, Started) else None


def settled_entry(store: Store, call: PicturedCall) -> Settled | None:
    """What the call came to; None while it is under way.

    Raises:
        StoreError: the entry is damaged.
    """
    entry = _entry(store, call, call.settled, True)
    return entry if isinstance(entry, Settled) else None


def _entry(store: Store, call: PicturedCall, place: int | None, blobs: bool) -> Entry | None:
    if place is None:
        return None
    return next(read_lane(store, call.lane.number, start=place, limit=1, blobs=blobs), None)
