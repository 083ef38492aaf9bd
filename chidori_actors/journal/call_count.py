"""How many calls are in a run's record, without a look at its lanes."""

from .events import EndedCall, newest_events
from .runs import RunMeta
from .store import Store


def recorded_calls(store: Store, meta: RunMeta) -> int:
    """How many calls of the run have ended and count: the length of its checkpoint's ``call_log`` at this moment.

    Raises:
        StoreError: the store cannot be read.
    """
    if meta.status != "running":
        return meta.calls
    for number, event in newest_events(store, meta.lane):
        if number <= meta.counted_events:
            break
        if isinstance(event, EndedCall):
            return event.calls
    return meta.calls


def has_progressed(store: Store, meta: RunMeta) -> bool:
    """Whether calls have ended in a run that is under way, or was interrupted, since it began or last went on."""
    return recorded_calls(store, meta) > meta.calls
