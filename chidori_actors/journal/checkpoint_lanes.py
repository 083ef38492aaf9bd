"""The records of a checkpoint file as the lanes of its actors."""

from collections.abc import Iterable, Sequence

from .. import exact_json
from .checkpoint import RECORD_FIELDS, Checkpoint, JsonObject
from .json_text import milliseconds_since_1970
from .lanes import CANCELLED, OUTCOME_UNKNOWN, Entry, Settled, Started
from .records import Record

_CANCELLATIONS = {CANCELLED: CANCELLED, f"{CANCELLED}: {OUTCOME_UNKNOWN}": OUTCOME_UNKNOWN}


def checkpoint_entries(
    checkpoint: Checkpoint, actor: str = "", *, open_calls: Iterable[Started] = (), inherited: Iterable[Settled] = ()
) -> list[Entry]:
    """The lane of the actor with that path: its records in the order of the call log, each call before its own.

    ``open_calls`` are those of its calls that have no record, ``inherited`` what it was given of its parent's. Where
    a call stood among the deliveries is known from our own files. Otherwise its ``after`` is -1: it is put just
    before the first settlement of a call that was made no earlier, or last.
    """
    records = actor_records(checkpoint.call_log, actor)
    calls = [*(_started(ordinal, record) for ordinal, _, record in records), *open_calls]
    ours = checkpoint.run is not None
    settlements = [_settled(ordinal, record["index"] if ours else place, record) for ordinal, place, record in records]
    return _in_order(calls, sorted((*settlements, *inherited), key=lambda settled: settled.index))


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


def actor_records(log: Sequence[Record], actor: str) -> list[tuple[int, int, Record]]:
    """The records of the actor with that path: the call's ordinal, its place among them from 1, and the record."""
    found = [record for record in log if is_of(record, actor)]
    if all("path" in record for record in found):
        ordinals = [int(record["path"].rpartition("/")[2]) for record in found]
    else:
        by_seq = {seq: ordinal for ordinal, seq in enumerate(sorted(record["seq"] for record in found), start=1)}
        ordinals = [by_seq[record["seq"]] for record in found]
    return [(ordinal, place, record) for place, (ordinal, record) in enumerate(zip(ordinals, found, strict=True), 1)]


def is_of(record: Record, actor: str) -> bool:
    """Whether the call is one of the actor with that path; without a path it is known for the root alone."""
    inside, _, _ = record.get("path", "").rpartition("/")
    return inside == actor and (actor != "" or "parent_seq" not in record)


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
