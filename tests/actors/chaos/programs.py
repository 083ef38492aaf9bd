"""The scenarios by name, each with the cluster that it needs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import drains, scenarios
from .cut_hosts import CUT_HOST
from .doors import kill_front_door
from .sessions import FLAT, NESTED
from .stage import Stage


@dataclass(frozen=True, slots=True)
class Program:
    """``perform`` does everything and gives figures; ``options`` are those of the cluster."""

    perform: Callable[[Stage], Awaitable[dict[str, Any]]]
    nodes: int = 3
    count: int = 200
    source: str = FLAT
    options: Mapping[str, Any] = field(default_factory=dict)


def _disturbed(by: Callable[[Stage], Awaitable[None]], *, repeats: bool = True, **more: Any) -> Program:
    async def perform(stage: Stage) -> dict[str, Any]:
        figures = await stage.disturbed(by)
        if not repeats:
            stage.sessions.check_never_repeated()
        return figures

    return Program(perform, **more)


# A loaded machine lets a host stand still for seconds.
_SOON = {"lost_after_s": 8.0}
_TWO_HOSTS = {"hosts": 2}

PROGRAMS: Mapping[str, Program] = {
    "kill-home": _disturbed(scenarios.kill_home),
    "kill-branches": _disturbed(scenarios.kill_branches, nodes=2, options=_TWO_HOSTS),
    "kill-several": _disturbed(scenarios.kill_several),
    "kill-node": _disturbed(scenarios.kill_node),
    "kill-journal": _disturbed(scenarios.kill_journal, repeats=False),
    "kill-supervisor": _disturbed(scenarios.kill_supervisor, repeats=False),
    "kill-supervisor-and-host": _disturbed(scenarios.kill_supervisor_and_host),
    "kill-front-door": Program(kill_front_door),
    "freeze": _disturbed(scenarios.freeze, options=_SOON),
    "cut-from-journal": _disturbed(scenarios.cut_from_journal, options={"host_class": CUT_HOST, **_SOON}),
    "cut-for-a-moment": _disturbed(
        scenarios.cut_for_a_moment, repeats=False, options={"host_class": CUT_HOST, **_SOON}
    ),
    "cut-from-journal-by-default": _disturbed(scenarios.cut_from_journal, options={"host_class": CUT_HOST}),
    "drain": _disturbed(drains.drain_node, repeats=False),
    "drain-nested": _disturbed(drains.drain_node, repeats=False, source=NESTED),
    "drain-branches": _disturbed(drains.drain_branches, repeats=False, nodes=2, options=_TWO_HOSTS),
    "drain-nested-branches": _disturbed(
        drains.drain_branches, repeats=False, nodes=2, source=NESTED, options=_TWO_HOSTS
    ),
    "add-node": _disturbed(scenarios.add_node, repeats=False, nodes=2, options=_TWO_HOSTS),
    # Room for the sessions' roots and not for all of their branches at once; and one actor for each host.
    "full": _disturbed(
        scenarios.nothing, repeats=False, nodes=1, options={"hosts": 2, "max_hosts": 2, "actors_per_host": 25}
    ),
    "one-actor-per-host": _disturbed(
        scenarios.nothing, repeats=False, nodes=1, count=4, options={"hosts": 3, "max_hosts": 3, "actors_per_host": 1}
    ),
}
