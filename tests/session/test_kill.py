"""``kill -9`` at any moment: the run goes on in a new process, nothing settled is made again, nothing is lost."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.killing import Scenario

AGENT = """
export async function agent(input: { url: string }, chidori: any) {
  const seen = new Map<string, number>();
  const send = async (name: string, method: string) => {
    const answer = await chidori.http(`${input.url}/${name}`, { method, body: method === "POST" ? name : null });
    seen.set(name, answer.body.answer);
    return answer.body.answer;
  };
  const out: unknown[] = [];
  for (let turn = 0; turn < 5; turn++) {
    out.push(await send(`post-${turn}`, "POST"));
    await chidori.memory("set", `key-${turn}`, out.length);
    out.push(await Promise.all([send(`a-${turn}`, "POST"), send(`b-${turn}`, "GET"), chidori.prompt(`p ${turn}`)]));
    await new Promise((resolve) => setTimeout(resolve, 1));
    out.push(await chidori.retry(() => send(`c-${turn}`, "POST"), { attempts: 2, delayMs: 1 }));
    await chidori.log(`turn ${turn}`, { size: seen.size });
  }
  return { out, seen: [...seen].sort(), keys: await chidori.memory("list"), random: Math.random() > 2 };
}
"""
CALLS = 41
# At most the three calls of a Promise.all are in flight when a process is killed; one of them is a prompt.
SCENARIO = Scenario({"agent.ts": AGENT}, requests=20, at_once=2)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How the run ends when nobody kills it, and its records."""
    expected = asyncio.run(SCENARIO.uninterrupted(tmp_path_factory.mktemp("whole")))
    assert len(expected[1]) == CALLS
    return expected


@pytest.mark.parametrize("at_request", [1, 3, 8, 20])
async def test_a_killed_run_ends_as_if_it_had_not_been_killed(
    tmp_path: Path, uninterrupted: Any, at_request: int
) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(at_request, 0.001)], uninterrupted)


async def test_a_run_that_is_killed_again_and_again_ends_all_the_same(tmp_path: Path, uninterrupted: Any) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(5, 0.0), (4, 0.002)], uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("point", range(40))
async def test_forty_points(tmp_path: Path, uninterrupted: Any, point: int) -> None:
    chance = random.Random(point)
    kills = [(point % SCENARIO.requests + 1, chance.uniform(0, 0.005))]
    if point % 3 == 0:
        kills.append((chance.randrange(1, 4), chance.uniform(0, 0.005)))
    await SCENARIO.kill_and_resume(tmp_path / "run", kills, uninterrupted)
