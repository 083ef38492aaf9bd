"""The list of stored runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

from ..history import INTERRUPTED, current_status
from ..journal.json_text import rfc3339
from ..journal.lanes import Started, lane_length, read_lane
from ..journal.runs import RunMeta, Status, list_runs
from ..journal.store import Store
from .plain_text import clip, table

_HEADER = ("ID", "STATUS", "AGENT", "CREATED", "CALLS", "")
_LONGEST_AGENT = 40
_TAIL_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as the list shows it; ``calls`` counts those made so far."""

    meta: RunMeta
    status: str
    calls: int


@dataclass(frozen=True, slots=True)
class RunList:
    """Some runs, newest first; ``next_cursor`` is None when there are no more.

    ``damaged`` are the ids of runs whose description cannot be read.
    """

    runs: list[ListedRun]
    damaged: list[str]
    next_cursor: str | None


def read_runs(store: Store, *, status: str | None, limit: int, cursor: str | None) -> RunList:
    """At most ``limit`` runs of that ``status``, which may be ``interrupted``, from ``cursor`` on.

    Damaged runs are among them: any status may be theirs.

    Raises:
        StoreError: the cursor is not one, or an entry of a run under way is damaged.
    """
    stored = cast(Status | None, "running" if status == INTERRUPTED else status)
    found: list[ListedRun] = []
    damaged: list[str] = []
    while True:
        page = list_runs(store, status=stored, limit=limit - len(found) - len(damaged), cursor=cursor)
        cursor = page.next_cursor
        damaged += page.damaged
        for meta in page.runs:
            now = current_status(store, meta)
            if status is None or now == status:
                found.append(ListedRun(meta, now, _calls_made(store, meta)))
        if cursor is None or len(found) + len(damaged) == limit:
            return RunList(found, damaged, cursor)


def _calls_made(store: Store, meta: RunMeta) -> int:
    """The description of a run counts its calls only while it is at rest; of others the lane's end tells."""
    if meta.status != "running":
        return meta.call_count
    start = length = lane_length(store, meta.lane)
    while start > 0:
        start = max(0, start - _TAIL_ENTRIES - (length - start))
        seqs = [entry.seq for entry in read_lane(store, meta.lane, start=start) if isinstance(entry, Started)]
        if seqs:
            return max(seqs)
    return 0


def run_list_lines(found: RunList) -> list[str]:
    """A table with the time of creation in this machine's time zone; damaged runs come last."""
    if not found.runs and not found.damaged:
        return ["no runs"]
    unreadable = ((run_id, "damaged", "", "", "", "its description cannot be read") for run_id in found.damaged)
    return table(_HEADER, (*map(_row, found.runs), *unreadable))


def _row(run: ListedRun) -> tuple[str, ...]:
    meta = run.meta
    created = datetime.fromtimestamp(meta.created_at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    agent = meta.agent if len(meta.agent) <= _LONGEST_AGENT else "…" + meta.agent[1 - _LONGEST_AGENT :]
    return meta.id, run.status, agent, created, str(run.calls), clip(_remark(run))


def _remark(run: ListedRun) -> str:
    pending = _pending_prompt(run.meta)
    return f"asks: {pending}" if pending else _error(run) or ""


def run_list_json(found: RunList) -> bytes:
    """``{runs: [{id, run_id, status, agent, error, created_at, updated_at, call_count, pending_prompt}],
    damaged: [id], next_cursor}``."""
    document = {
        "runs": [_run_json(run) for run in found.runs],
        "damaged": found.damaged,
        "next_cursor": found.next_cursor,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _run_json(run: ListedRun) -> dict[str, Any]:
    meta = run.meta
    return {
        "id": meta.id,
        "run_id": meta.id,
        "status": run.status,
        "agent": meta.agent,
        "error": _error(run),
        "created_at": rfc3339(meta.created_at_ms),
        "updated_at": rfc3339(meta.updated_at_ms),
        "call_count": run.calls,
        "pending_prompt": _pending_prompt(meta),
    }


def _error(run: ListedRun) -> str | None:
    return None if run.meta.error is None else str(run.meta.error.get("message", ""))


def _pending_prompt(meta: RunMeta) -> str | None:
    return str(meta.pending[0]["prompt"]) if meta.pending else None
