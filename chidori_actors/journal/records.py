"""Call records: a lane as clients and people see it (wire contract, section 4)."""

from collections.abc import Iterable
from typing import Any

from ..errors import StoreError
from .json_text import parse_json, rfc3339
from .lanes import CANCELLED, Entry, Settled, Started

Record = dict[str, Any]


def call_records(entries: Iterable[Entry], *, actor: str = "", origin_run_id: str | None = None) -> list[Record]:
    """The records of the calls that have ended, in the order in which they ended.

    ``entries`` is the lane as it counts (``apply_retries``); ``actor`` is the actor's path, empty for the
    root. A failed call also has ``error_name`` and, when there is any, ``error_data``; a cancelled one has
    neither, and ``error`` is ``cancelled`` or ``cancelled: outcome unknown``. Notes of a call are further
    fields of its record.

    Raises:
        StoreError: a call ended that never began.
    """
    started: dict[int, Started] = {}
    ended: list[Settled] = []
    for entry in entries:
        if isinstance(entry, Started):
            started[entry.ordinal] = entry
        elif isinstance(entry, Settled):
            ended.append(entry)
    records: list[Record] = []
    for settled in sorted(ended, key=lambda settled: settled.index):
        call = started.get(settled.ordinal)
        if call is None:
            raise StoreError(
                f"call {settled.ordinal} has a result and was never made: the run's journal is damaged",
                hint="restore the store from a backup, or start the run anew",
            )
        records.append(_record(call, settled, actor, origin_run_id))
    return records


def error_text(settled: Settled) -> str | None:
    """A record's ``error``; None for a call that succeeded."""
    if settled.cancelled is not None:
        return CANCELLED if settled.cancelled == CANCELLED else f"{CANCELLED}: {settled.cancelled}"
    return None if settled.error is None else str(settled.error.get("message", ""))


def _record(call: Started, settled: Settled, actor: str, origin_run_id: str | None) -> Record:
    record: Record = {"seq": call.seq}
    if call.parent_seq is not None:
        record["parent_seq"] = call.parent_seq
    record |= {
        "function": call.function,
        "args": parse_json(call.args),
        "result": None if settled.value is None else parse_json(settled.value),
        "duration_ms": round(settled.duration_ms),
        "timestamp": rfc3339(call.at_ms),
        "path": f"{actor}/{call.ordinal}" if actor else str(call.ordinal),
        "actor": actor,
        "index": settled.index,
        "origin_run_id": origin_run_id,
    }
    if settled.token_usage is not None:
        record["token_usage"] = dict(settled.token_usage)
    text = error_text(settled)
    if text is not None:
        record["error"] = text
    if settled.cancelled is None and settled.error is not None:
        record["error_name"] = settled.error.get("name", "Error")
        if settled.error.get("data"):
            record["error_data"] = settled.error["data"]
    return {**settled.notes, **record}
