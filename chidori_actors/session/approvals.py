"""Approvals of one run: what was decided for a target and its args holds for every such call, also at once."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ..canonical import canonical
from ..host.function import Question
from ..journal.approvals import Decision, approval_write, get_approval
from ..journal.store import Fence, Store

YES, ALL, NO = "yes", "all", "no"


class Approvals:
    """The decisions on calls of the run, whichever actor makes them."""

    def __init__(self, store: Store, fence: Fence, run_id: str) -> None:
        self._store = store
        self._fence = fence
        self._run_id = run_id
        self._open: dict[str, tuple[Question, Callable[[str], None]]] = {}
        self.asking = asyncio.Lock()
        """Held while somebody is asked who answers at once, so that nobody is asked twice for the same."""

    def known(self, target: str, args: Mapping[str, Any]) -> Decision | None:
        """What was decided about such a call, or None when nobody has."""
        return known_decision(self._store, self._run_id, target, args)

    async def decide(self, question: Question, answer: str) -> Decision:
        """Keep an answer for good, and give it to the other calls that wait for it."""
        assert question.target is not None
        decision: Decision = "deny" if answer == NO else "allow"
        key = ALL if answer == ALL else _key(question.args)
        await self._store.commit([approval_write(self._run_id, question.target, key, decision)], fence=self._fence)
        for path, (other, answered) in list(self._open.items()):
            if other.target == question.target and key in (ALL, _key(other.args)):
                del self._open[path]
                answered(answer)
        return decision

    def wait(self, question: Question, answered: Callable[[str], None]) -> None:
        """A call stands waiting: ``answered`` is told what is decided for another that needs the same."""
        self._open[question.path] = question, answered

    def withdraw(self, question: Question) -> None:
        """It does not any more."""
        self._open.pop(question.path, None)


def known_decision(store: Store, run_id: str, target: str, args: Mapping[str, Any]) -> Decision | None:
    """What the store has of a decision on calls of ``target`` with these args."""
    this, every = (get_approval(store, run_id, target, key) for key in (_key(args), ALL))
    return this or every


def _key(args: Mapping[str, Any] | None) -> str:
    return hashlib.sha256(canonical(args)).hexdigest()
