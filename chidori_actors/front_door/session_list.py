"""The list of sessions: filtered, searched and paged without holding up whoever else the server works for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..answers import OpenQuestion
from ..errors import StoreError
from ..history import INTERRUPTED, current_status
from ..journal.call_count import recorded_calls
from ..journal.json_text import rfc3339
from ..journal.runs import RunMeta, get_run, list_runs, time_key
from ..journal.store import Store
from ..turns import Turns
from .live_runs import LiveRuns
from .schemas import WAITING
from .views import error_text

Item = dict[str, Any]

MOST_LOOKED_AT = 5_000
"""So many runs are looked at for one page: what is searched for may be in none of them."""
_SLICE = 50
_SEARCHED_BYTES = 4096
"""So much of an input and of an output is searched."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: of one of ``statuses`` (of all when there are none; ``interrupted`` is one, and ``waiting``,
    which all are that have an open question), of the agent file ``agent``, directly made from the run ``parent``, with
    ``search`` in their id's beginning, agent, error, questions, input or output, in any case."""

    statuses: frozenset[str] = frozenset()
    agent: str | None = None
    parent: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Sessions, newest first. With a ``next_cursor`` there may be more, also when this page is not full."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands now: ``status`` is that of the store, ``questions`` are open, oldest first."""

    meta: RunMeta
    is_live: bool
    is_interrupted: bool
    questions: Sequence[OpenQuestion]


class SessionList:
    """Of one server, whose own runs are ``runs``."""

    def __init__(self, store: Store, runs: LiveRuns) -> None:
        self._store = store
        self._runs = runs

    async def page(self, wanted: Wanted, limit: int, cursor: str | None) -> SessionPage:
        """At most ``limit`` sessions behind ``cursor``, of ``MOST_LOOKED_AT`` runs.

        Raises:
            StoreError: it is not a cursor that an earlier page gave, or the store cannot be read.
        """
        items: list[Item] = []
        turns, looked_at = Turns(), 0
        while True:
            page = list_runs(self._store, limit=_SLICE, cursor=cursor, blobs=False)
            for meta in page.runs:
                standing = self.standing(meta)
                if self._is_wanted(wanted, standing):
                    items.append(list_item(standing, recorded_calls(self._store, meta)))
                    if len(items) == limit:
                        return SessionPage(items, time_key(meta).hex())
                await turns.over()
            looked_at += len(page.runs) + len(page.damaged)
            cursor = page.next_cursor
            if cursor is None or looked_at >= MOST_LOOKED_AT:
                return SessionPage(items, cursor)

    def standing(self, meta: RunMeta) -> Standing:
        """How the session stands that the store knows as ``meta``."""
        session = self._runs.get(meta.id)
        if session is not None:
            is_running = meta.status == "running"
            return Standing(meta, True, False, session.questions if is_running else meta.pending)
        if meta.status != "running":
            return Standing(meta, False, False, meta.pending)
        is_interrupted = current_status(self._store, meta) == INTERRUPTED
        return Standing(meta, not is_interrupted, is_interrupted, meta.pending)

    def _is_wanted(self, wanted: Wanted, standing: Standing) -> bool:
        meta = standing.meta
        if wanted.statuses and not wanted.statuses & _statuses(standing):
            return False
        if wanted.agent is not None and _agent_name(meta) != wanted.agent:
            return False
        if wanted.parent is not None and (meta.branch is None or meta.branch["parent_run_id"] != wanted.parent):
            return False
        return wanted.search is None or self._is_found(wanted.search.casefold(), standing)

    def _is_found(self, text: str, standing: Standing) -> bool:
        meta = standing.meta
        if meta.id.casefold().startswith(text):
            return True
        texts = (_agent_name(meta), error_text(meta) or "", *(str(each["prompt"]) for each in standing.questions))
        if any(text in each.casefold() for each in texts):
            return True
        return any(text in _beginning(each) for each in self._input_and_output(meta) if each is not None)

    def _input_and_output(self, meta: RunMeta) -> tuple[bytes | None, bytes | None]:
        if b"" in (meta.input, meta.output):
            # It is large, and was left out.
            try:
                meta = get_run(self._store, meta.id)
            except StoreError:
                return None, None  # it was removed meanwhile, or is damaged
        return meta.input, meta.output


def list_item(standing: Standing, calls: int) -> Item:
    """A session in a list; ``calls`` are in its record."""
    meta, questions = standing.meta, standing.questions
    return {
        "id": meta.id,
        "run_id": meta.id,
        "status": meta.status,
        "error": error_text(meta),
        "created_at": rfc3339(meta.created_at_ms),
        **standing_fields(standing),
        "call_count": calls,
        "pending_prompt": questions[0]["prompt"] if questions else None,
        "pending_count": len(questions),
        "pending_kind": questions[0]["kind"] if questions else None,
        "attempt_number": meta.attempt_number,
    }


def standing_fields(standing: Standing) -> Item:
    """What a session's view and its line in a list both say of where it comes from and whether it goes on."""
    meta = standing.meta
    branch = meta.branch
    return {
        "agent": _agent_name(meta),
        "updated_at": rfc3339(meta.updated_at_ms),
        "live": standing.is_live,
        "interrupted": standing.is_interrupted,
        "branch": None if branch is None else {name: branch[name] for name in ("parent_run_id", "at_seq")},
        "imported": meta.origin_run_id is not None and branch is None,
    }


def _agent_name(meta: RunMeta) -> str:
    return PurePath(meta.agent).name


def _statuses(standing: Standing) -> set[str]:
    """All that a client may ask for it by."""
    statuses: set[str] = {standing.meta.status}
    if standing.is_interrupted:
        statuses.add(INTERRUPTED)
    if standing.questions:
        statuses.add(WAITING)
    return statuses


def _beginning(json_text: bytes) -> str:
    return json_text[:_SEARCHED_BYTES].decode(errors="replace").casefold()
