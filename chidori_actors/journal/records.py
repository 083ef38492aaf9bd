"""Call records: a lane as clients and people see it (wire contract, section 4)."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import StoreError
from .json_text import parse_json, rfc3339
from .lanes import CANCELLED, Entry, Settled, Started

Record = dict[str, Any]


def call_records(entries: Iterable[Entry], *, actor: str = "", origin_run_id: str | None = None) -> list[Record]:
    """The records of one actor's calls that have ended, in the order in which they ended.

    ``entries`` is the lane as it counts (``apply_retries``); ``actor`` is the actor's path, empty for the
    root. What a branch inherited from its parent is a record of the parent's. A failed call also has ``error_name``
    and, when there is any, ``error_data``; a cancelled one has neither, and ``error`` is ``cancelled`` or
    ``cancelled: outcome unknown``. Notes of a call are further fields of its record.

    Raises:
        StoreError: a call ended that never began.
    """
    ended = sorted(_ended(entries, actor), key=lambda pair: pair[1].index)
    return [_record(call, settled, actor, origin_run_id) for call, settled in ended]


def tree_records(
    lanes: Iterable[tuple[str, Sequence[Entry]]],
    origin_run_id: str | None = None,
    *,
    shared: Sequence[tuple[int, str]] = (),
) -> list[Record]:
    """The records of all actors of a run, in the order in which their calls ended.

    ``lanes`` has each actor's path and its lane as it counts. ``shared`` is what a branch from history shares with
    which run: pairs (index, run id), ascending; what settled before that index, and not before an earlier pair's, is
    of that run. The rest is of ``origin_run_id``.

    Raises:
        StoreError: a call ended that never began.
    """
    ended = [(settled, call, actor) for actor, entries in lanes for call, settled in _ended(entries, actor)]
    ended.sort(key=lambda found: found[0].index)
    records: list[Record] = []
    for settled, call, actor in ended:
        origin = next((run_id for index, run_id in shared if settled.index < index), origin_run_id)
        records.append(_record(call, settled, actor, origin))
    return records


def call_path(actor: str, ordinal: int) -> str:
    """The identity of a call: the path of its actor, empty for the root, and its ordinal there."""
    return f"{actor}/{ordinal}" if actor else str(ordinal)


def described_start(call: Started) -> Record:
    """What a record does not say of a call's beginning, and whoever makes the run again needs."""
    said = {"after": None if call.after < 0 else call.after, "site": call.site, "parent_seq": call.parent_seq}
    found = {name: value for name, value in said.items() if value is not None}
    return found if call.attempt == 1 else {**found, "attempt": call.attempt}


def _ended(entries: Iterable[Entry], actor: str) -> list[tuple[Started, Settled]]:
    started: dict[int, Started] = {}
    ended: list[Settled] = []
    for entry in entries:
        if isinstance(entry, Started):
            started[entry.ordinal] = entry
        elif isinstance(entry, Settled) and not entry.inherited:
            ended.append(entry)
    for settled in ended:
        if settled.ordinal not in started:
            raise never_made(call_path(actor, settled.ordinal))
    return [(started[settled.ordinal], settled) for settled in ended]


def never_made(path: str) -> StoreError:
    """The error for the result of a call that is in no lane."""
    return StoreError(
        f"call {path} has a result and was never made: the run's journal is damaged",
        hint="restore the store from a backup, or start the run anew",
    )


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
        "path": call_path(actor, call.ordinal),
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
