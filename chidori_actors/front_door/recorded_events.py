"""Events as clients get them, from what the store keeps of them."""

from collections.abc import Iterator

from .. import exact_json
from ..history import records
from ..journal.actors import get_actor
from ..journal.events import EndedCall, Told
from ..journal.lanes import read_lane
from ..journal.records import call_records
from ..journal.runs import RunMeta
from ..journal.store import Store


def replayed_calls(store: Store, meta: RunMeta, *, after: int) -> Iterator[tuple[int, bytes]]:
    """The calls that were in the record when the run was stored (a branch, a replay), behind number ``after``.

    The run has no events of its own for them: they are numbered in the order in which they ended.
    """
    if after < meta.replayed_calls:
        for number, record in enumerate(records(store, meta)[after : meta.replayed_calls], start=after + 1):
            yield number, exact_json.dumps({**record, "replayed": True})


def event_data(store: Store, meta: RunMeta, event: EndedCall | Told) -> tuple[str, bytes]:
    """The event's name and its data as JSON.

    Raises:
        StoreError: what it points to is missing or damaged.
    """
    if isinstance(event, Told):
        return event.event, event.data
    actor = "" if event.lane == meta.lane else get_actor(store, event.lane).path
    entries = [next(read_lane(store, event.lane, start=place, limit=1)) for place in (event.started, event.settled)]
    return "call", exact_json.dumps(call_records(entries, actor=actor, origin_run_id=meta.origin_run_id)[0])
