"""What a session's own view says beyond the wire contract: what it adds up to, and where it comes from."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ..journal.call_count import recorded_calls
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..reopening import fails_again
from ..totals import RunningTotals, Totals
from ..turns import Turns
from .session_list import SessionList, standing_fields

_KEPT = 16
"""The totals of so many runs are kept, so that a run that somebody watches is read once and not at every look."""


@dataclass(slots=True)
class _Known:
    running: RunningTotals
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SessionDetails:
    """Of the sessions of one server; ``sessions`` knows how they stand."""

    def __init__(self, store: Store, sessions: SessionList) -> None:
        self._store = store
        self._sessions = sessions
        self._known: OrderedDict[int, _Known] = OrderedDict()

    async def of(self, meta: RunMeta) -> dict[str, Any]:
        """The further fields of a session's view.

        Raises:
            StoreError: an entry of it is missing or damaged.
        """
        totals = await self._totals(meta)
        calls = recorded_calls(self._store, meta)
        # What a resume takes back may be of the calls that were there at first.
        recorded = min(meta.replayed_calls, calls)
        standing = self._sessions.standing(meta)
        return {
            **standing_fields(standing),
            "recorded_calls": recorded,
            "live_calls": calls - recorded,
            "totals": _totals_json(totals),
            "retriable": standing.is_interrupted
            or (meta.status == "failed" and not fails_again(meta.error, meta.failed_ordinal)),
            "source_available": meta.bundle is not None,
            "store": str(self._store.path),
            "agent_path": meta.agent,
            "policy_profile": meta.policy_profile,
        }

    async def _totals(self, meta: RunMeta) -> Totals:
        known = self._known.setdefault(meta.lane, _Known(RunningTotals(self._store, meta.lane)))
        self._known.move_to_end(meta.lane)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        turns = Turns()
        async with known.lock:
            for _ in known.running.count():
                await turns.over()
        return known.running.totals


def _totals_json(totals: Totals) -> dict[str, Any]:
    return {
        "prompts": sum(each.prompts for each in totals.models.values()),
        "input_tokens": totals.input_tokens,
        "output_tokens": totals.output_tokens,
        "cost_usd": None if totals.unpriced_models else totals.cost_usd,
        "cost": totals.cost_text(),
    }
