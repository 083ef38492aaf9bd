"""A cluster of several nodes, parts of which end in the midst of 200 sessions with branches: nobody notices.

Each scenario is a process of its own: its nodes have addresses of their own, and Ray is told how they trust each other
before it is imported. What it prints, and the last words of the cluster's processes, come with a failure.
"""

import os
import sys
from pathlib import Path

import orjson
import pytest

from tests.support.process import finished

from .programs import PROGRAMS

pytestmark = pytest.mark.xdist_group("ray")
_LIMIT_S = 300.0
_ROOT = Path(__file__).parents[3]


SAMPLE = ("kill-home", "kill-journal", "drain")
"""One of each kind: a host's death, the journal's, and a move. All others are `make test-chaos`, 12 minutes."""


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, marks=pytest.mark.slow if each in SAMPLE else pytest.mark.chaos) for each in PROGRAMS],
)
async def test_sessions_complete_and_no_settled_call_is_made_again(scenario: str, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.actors.chaos", scenario, str(tmp_path))
    env = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    code, out, err = await finished(*command, cwd=_ROOT, env=env, seconds=_LIMIT_S)
    assert code == 0, out.decode() + err
    assert orjson.loads(out.splitlines()[-1])["scenario"] == scenario
