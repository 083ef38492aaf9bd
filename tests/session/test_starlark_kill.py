"""``kill -9`` of agents in Starlark, at each of their requests."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.killing import Scenario

KILLED = """
def send(url, name, method = "POST"):
    return http(method, url + "/" + name, body = name if method == "POST" else None)["body"]["answer"]

def agent(url):
    seen = {}
    def branch(name):
        seen[name] = send(url, name)
        return [seen, send(url, name + "-get", "GET"), 1.0]
    seen["first"] = send(url, "first") + 9007199254740992
    memory("set", "seen", seen)
    parts = parallel([lambda: branch("a"), lambda: branch("b")])
    parts.append(call_agent("child.star", url = url, n = seen["first"]))
    parts.append(retry(lambda: send(url, "last")))
    return [parts, seen, memory("get", "seen"), prompt("p")]
"""
CHILD = """
def agent(url, n):
    log("child", n = n)
    return [n * n, http("POST", url + "/child")["body"]]
"""
SCENARIO = Scenario({"agent.star": KILLED, "child.star": CHILD}, requests=7, at_once=2)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How the run ends when nobody kills it, and its records."""
    return asyncio.run(SCENARIO.uninterrupted(tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("at_request", range(1, SCENARIO.requests + 1))
async def test_a_killed_run_ends_as_if_it_had_not_been_killed(
    tmp_path: Path, uninterrupted: Any, at_request: int
) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(at_request, 0.001)], uninterrupted)


async def test_a_run_that_is_killed_again_and_again_ends_all_the_same(tmp_path: Path, uninterrupted: Any) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(2, 0.0), (2, 0.002), (1, 0.001)], uninterrupted)
