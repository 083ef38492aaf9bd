"""The scenarios by name, each with the cluster that it needs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import scenarios
from .sessions import FLAT
from .stage import Stage


@dataclass(frozen=True, slots=True)
class Program:
    """``perform`` does everything and gives figures; ``options`` are those of the cluster."""

    perform: Callable[[Stage], Awaitable[dict[str, Any]]]
    nodes: int = 3
    count: int = 200
    source: str = FLAT
    options: Mapping[str, Any] = field(default_factory=dict)


def _disturbed(by: Callable[[Stage], Awaitable[None]], **more: Any) -> Program:
    async def perform(stage: Stage) -> dict[str, Any]:
        return await stage.disturbed(by)

    return Program(perform, **more)


PROGRAMS: Mapping[str, Program] = {
    "kill-home": _disturbed(scenarios.kill_home),
    "kill-branches": _disturbed(scenarios.kill_branches, nodes=2, options={"hosts": 2}),
    "kill-several": _disturbed(scenarios.kill_several),
    "kill-node": _disturbed(scenarios.kill_node),
    "kill-journal": _disturbed(scenarios.kill_journal),
    "kill-supervisor": _disturbed(scenarios.kill_supervisor),
    "kill-supervisor-and-host": _disturbed(scenarios.kill_supervisor_and_host),
    "freeze": _disturbed(scenarios.freeze, options={"lost_after_s": 4.0}),
}
