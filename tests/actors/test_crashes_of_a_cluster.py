"""Parts of a cluster of one node end in the midst of some sessions; ``chaos`` has many sessions and several nodes."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from .chaos import scenarios
from .chaos.cut_hosts import CUT_HOST
from .chaos.sessions import NESTED
from .chaos.stage import Stage, staged
from .clusters import ray_address

pytestmark = pytest.mark.slow

_SESSIONS = 16


@pytest.mark.parametrize(
    "disturb",
    [scenarios.kill_home, scenarios.kill_journal, scenarios.kill_supervisor],
    ids=lambda disturb: disturb.__name__,
)
async def test_sessions_complete_and_no_settled_call_is_made_again(
    tmp_path: Path, namespace: str, disturb: Callable[[Stage], Awaitable[None]]
) -> None:
    async with staged(tmp_path, ray_address(), namespace, count=_SESSIONS, source=NESTED, hosts=2) as stage:
        await stage.disturbed(disturb)


async def test_a_host_that_cannot_reach_the_journal_ends_and_its_actors_go_on(tmp_path: Path, namespace: str) -> None:
    options: dict[str, Any] = {"hosts": 2, "lost_after_s": 2.0, "host_class": CUT_HOST}
    async with staged(tmp_path, ray_address(), namespace, count=_SESSIONS, source=NESTED, **options) as stage:
        await stage.disturbed(scenarios.cut_from_journal)


async def test_a_host_that_cannot_reach_the_journal_for_a_moment_loses_nothing(tmp_path: Path, namespace: str) -> None:
    options: dict[str, Any] = {"hosts": 2, "lost_after_s": 4.0, "host_class": CUT_HOST}
    async with staged(tmp_path, ray_address(), namespace, count=_SESSIONS, source=NESTED, **options) as stage:
        await stage.disturbed(scenarios.cut_for_a_moment)
        stage.sessions.check_never_repeated()
