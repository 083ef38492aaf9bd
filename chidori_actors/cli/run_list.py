"""The list of stored runs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

from ..clipping import clip
from ..history import INTERRUPTED, current_status
from ..journal.call_count import recorded_calls
from ..journal.json_text import rfc3339
from ..journal.runs import RunMeta, Status, list_runs
from ..journal.store import Store
from .plain_text import table

_HEADER = ("ID", "STATUS", "AGENT", "CREATED", "CALLS", "")
_LONGEST_AGENT = 40


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as the list shows it; ``calls`` is how many are in its record."""

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
                found.append(ListedRun(meta, now, recorded_calls(store, meta)))
        if cursor is None or len(found) + len(damaged) == limit:
            return RunList(found, damaged, cursor)


def run_list_lines(found: RunList) -> list[str]:
    """A table with the time of creation in this machine's time zone; branches from history stand below the run that
    they are of, when that is on the page, and damaged runs come last."""
    if not found.runs and not found.damaged:
        return ["no runs"]
    unreadable = ((run_id, "damaged", "", "", "", "its description cannot be read") for run_id in found.damaged)
    return table(_HEADER, (*(_row(depth, run) for depth, run in _as_tree(found.runs)), *unreadable))


def _as_tree(runs: Sequence[ListedRun]) -> Iterator[tuple[int, ListedRun]]:
    """Each run with its depth; branches from the history of a listed run follow it, the newest first."""
    listed = {run.meta.id for run in runs}
    branches: defaultdict[str | None, list[ListedRun]] = defaultdict(list)
    for run in runs:
        parent = _parent(run)
        branches[parent if parent in listed else None].append(run)
    waiting = [(0, run) for run in reversed(branches[None])]
    while waiting:
        depth, run = waiting.pop()
        yield depth, run
        waiting += ((depth + 1, branch) for branch in reversed(branches[run.meta.id]))


def _parent(run: ListedRun) -> str | None:
    return None if run.meta.branch is None else str(run.meta.branch["parent_run_id"])


def _row(depth: int, run: ListedRun) -> tuple[str, ...]:
    meta = run.meta
    created = datetime.fromtimestamp(meta.created_at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    agent = meta.agent if len(meta.agent) <= _LONGEST_AGENT else "…" + meta.agent[1 - _LONGEST_AGENT :]
    shown_id = "  " * (depth - 1) + "└ " + meta.id if depth else meta.id
    return shown_id, run.status, agent, created, str(run.calls), _remark(run, alone=depth == 0)


def _remark(run: ListedRun, *, alone: bool) -> str:
    """``alone``: nothing else says whose branch it is."""
    pending = _pending_prompt(run.meta)
    remarks = [clip(f"asks: {pending}" if pending else _error(run) or "")]
    if run.meta.branch is not None:
        at_seq = run.meta.branch["at_seq"]
        what, at = ("replay", "") if at_seq is None else ("branch", f" at #{at_seq}")
        remarks.append(f"{what} of {_parent(run)}{at}" if alone else f"{what}{at}")
    return ", ".join(remark for remark in remarks if remark)


def run_list_json(found: RunList) -> bytes:
    """``{runs: [{id, run_id, status, agent, error, created_at, updated_at, call_count, pending_prompt, branch}],
    damaged: [id], next_cursor}``; ``branch`` is ``{parent_run_id, at_seq, at_index}`` or null."""
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
        "branch": meta.branch,
    }


def _error(run: ListedRun) -> str | None:
    return None if run.meta.error is None else str(run.meta.error.get("message", ""))


def _pending_prompt(meta: RunMeta) -> str | None:
    return str(meta.pending[0]["prompt"]) if meta.pending else None
