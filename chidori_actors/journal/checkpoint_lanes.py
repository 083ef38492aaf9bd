"""The records of a checkpoint file as the lanes of its actors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .. import exact_json
from .checkpoint import RECORD_FIELDS, JsonObject
from .json_text import milliseconds_since_1970
from .lanes import CANCELLED, OUTCOME_UNKNOWN, Entry, Settled, Started
from .records import Record

_CANCELLATIONS = {CANCELLED: CANCELLED, f"{CANCELLED}: {OUTCOME_UNKNOWN}": OUTCOME_UNKNOWN}


NumberedCalls = Sequence[tuple[int, int, Record]]
"""Records of one actor: the call's ordinal, its place among them from 1, and the record."""


def calls_by_actor(log: Iterable[Record]) -> Mapping[str, NumberedCalls]:
    """The records by the paths of their actors (``actor_of``); those of no known one are left out."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in log:
        if (actor := actor_of(record)) is not None:
            found[actor].append(record)
    return {actor: _numbered(records) for actor, records in found.items()}


def actor_of(record: Record) -> str | None:
    """The path of the actor whose call it is; without a path of the call it is known for the root alone."""
    actor: str = record.get("path", "").rpartition("/")[0]
    return None if actor == "" and "parent_seq" in record else actor


def checkpoint_entries(
    calls: NumberedCalls, *, ours: bool, open_calls: Iterable[Started] = (), inherited: Iterable[Settled] = ()
) -> list[Entry]:
    """The lane of the actor with those ``calls`` in the order of the call log: each call before its settlement.

    ``open_calls`` are those of its calls that have no record, ``inherited`` what it was given of its parent's. Where
    a call stood among the deliveries is known from our own files (``ours``). Otherwise its ``after`` is -1: it is put
    just before the first settlement of a call that was made no earlier, or last.
    """
    made = [*(_started(ordinal, record) for ordinal, _, record in calls), *open_calls]
    settlements = [_settled(ordinal, record["index"] if ours else place, record) for ordinal, place, record in calls]
    return _in_order(made, sorted((*settlements, *inherited), key=lambda settled: settled.index))


def _in_order(calls: Sequence[Started], settlements: Iterable[Settled]) -> list[Entry]:
    waiting = sorted(calls, key=lambda call: call.ordinal, reverse=True)
    entries: list[Entry] = []
    delivered = 0
    for settled in settlements:
        while waiting and (waiting[-1].ordinal <= settled.ordinal or 0 <= waiting[-1].after <= delivered):
            entries.append(waiting.pop())
        entries.append(settled)
        delivered += settled.delivered
    return [*entries, *reversed(waiting)]


def _numbered(records: Sequence[Record]) -> NumberedCalls:
    if all("path" in record for record in records):
        ordinals = [int(record["path"].rpartition("/")[2]) for record in records]
    else:
        by_seq = {seq: ordinal for ordinal, seq in enumerate(sorted(record["seq"] for record in records), start=1)}
        ordinals = [by_seq[record["seq"]] for record in records]
    return [(ordinal, place, record) for place, (ordinal, record) in enumerate(zip(ordinals, records, strict=True), 1)]


def _started(ordinal: int, record: Record) -> Started:
    return Started(
        ordinal=ordinal,
        seq=record["seq"],
        after=record.get("after", -1),
        function=record["function"],
        args=exact_json.dumps(record["args"]),
        at_ms=milliseconds_since_1970(record["timestamp"]),
        site=record.get("site"),
        parent_seq=record.get("parent_seq"),
        attempt=record.get("attempt", 1),
    )


def _settled(ordinal: int, index: int, record: Record) -> Settled:
    text = record.get("error")
    cancelled = None if "error_name" in record else _CANCELLATIONS.get(text or "")
    duration = record.get("duration_ms", 0)
    return Settled(
        ordinal=ordinal,
        index=index,
        at_ms=record.get("settled_at_ms", milliseconds_since_1970(record["timestamp"]) + round(duration)),
        duration_ms=duration,
        value=exact_json.dumps(record.get("result")) if text is None else None,
        error=None if text is None or cancelled is not None else _error(record),
        cancelled=cancelled,
        token_usage=record.get("token_usage"),
        notes={name: value for name, value in record.items() if name not in RECORD_FIELDS},
    )


def _error(record: Record) -> JsonObject:
    error = {
        "message": record["error"],
        "name": record.get("error_name", "Error"),
        "data": record.get("error_data", {}),
    }
    return error | ({"inner": record["error_inner"]} if "error_inner" in record else {})
