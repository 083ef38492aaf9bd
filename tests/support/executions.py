"""What sandboxes really execute, as opposed to what a record gives back."""

from typing import Any

import pytest

from chidori_actors.sandbox.execution import Execution, Outcome
from chidori_actors.sandbox.pool import WorkerPool


def executed_from_now_on(monkeypatch: pytest.MonkeyPatch) -> list[Execution]:
    """A list that gets each execution that a pool of this process begins, until the test ends."""
    begun: list[Execution] = []
    execute = WorkerPool.execute

    async def noted(self: WorkerPool, execution: Execution, *rest: Any) -> Outcome:
        begun.append(execution)
        return await execute(self, execution, *rest)

    monkeypatch.setattr(WorkerPool, "execute", noted)
    return begun
