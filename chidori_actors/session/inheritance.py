"""What a branch has of its parent: calls that were under way at the fork, and can settle in the branch too."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..journal.lanes import Settled, Started
from .context import RunContext
from .past import Past

_NOTHING_UNDER_WAY = "the agent waits for a promise that nothing can settle: no call is under way"


class Inheritance:
    """The calls ``inherited`` by their keys in the branch, and which of them were not settled in here yet."""

    def __init__(self, inherited: Mapping[int, Started], past: Past, run: RunContext, *, in_branch: bool) -> None:
        self._inherited = inherited
        self._in_branch = in_branch
        self._run = run
        keys = inherited.keys() if past.image is None else past.image.header["inherited"]
        self._open = {key: inherited[key] for key in keys if key not in past.settled}
        # Settled in here, and not given to the VM yet: to one that forks now they are still pending.
        self._due = {key: inherited[key] for key in keys if key in past.settled}

    @property
    def is_open(self) -> bool:
        """Whether one of them may still settle."""
        return bool(self._open)

    def started(self, key: int) -> Started | None:
        """The parent's call with that key; None for the branch's own."""
        return self._inherited.get(key)

    def pending(self) -> Iterable[tuple[int, Started]]:
        """Those that the VM still waits for, for the branches of the branch."""
        return {**self._open, **self._due}.items()

    def take(self, key: int, settled: Settled | None) -> tuple[Started, Settled] | None:
        """The parent's call was settled: what this actor records of it. None: it never settles, or did so before."""
        started = self._open.pop(key, None)
        if started is None or settled is None:
            return None
        self._due[key] = started
        index, at_ms = self._run.numbers.next_index(), self._run.now_ms()
        return started, replace(settled, ordinal=key, index=index, at_ms=at_ms, token_usage=None, notes={})

    def given(self, key: int) -> None:
        """The VM is given the settlement of the call."""
        self._due.pop(key, None)

    def explain_stuck(self) -> str:
        """Why the actor waits for what cannot come, when nothing of its own is under way."""
        if not self._in_branch:
            return _NOTHING_UNDER_WAY
        calls = ", ".join(dict.fromkeys(f"`{started.function}`" for started in self._inherited.values()))
        waits = f", by code of its own that waits for {calls}" if calls else ""
        return (
            f"the branch waits for a promise that only its parent can settle, if anyone{waits}: wait for it before "
            "`parallel`, or for the call itself, or make the call in the branch"
        )
