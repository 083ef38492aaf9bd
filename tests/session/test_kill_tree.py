"""``kill -9`` of a run whose work is spread over branches, sub-agents and tools: nothing that ended is done again."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.killing import Scenario

AGENT = """
export async function agent(input: { url: string }, chidori: any) {
  const seen = new Map<string, number>();
  const send = async (name: string, method = "POST"): Promise<number> => {
    const answer = await chidori.http(`${input.url}/${name}`, { method, body: method === "POST" ? name : null });
    seen.set(name, answer.body.answer);
    return answer.body.answer;
  };
  const shared = chidori.http(`${input.url}/shared`);
  const background = (async () => {
    const first = await send("background-1", "GET");
    return [first, await send(`background-2-${first}`)];
  })();
  const nested = (i: number) => async () => {
    const own = await send(`nested-${i}`);
    await chidori.memory("set", `nested-${i}`, own);
    return [own, (await shared).body.answer, await send(`nested-get-${i}`, "GET"), seen.has(`nested-${i}`)];
  };
  const parts = await chidori.parallel([
    async () => {
      const inner = await chidori.parallel([nested(0), nested(1), nested(2)], { concurrency: 2 });
      return { inner, after: await send("after-nested"), seen: seen.has("nested-0") };
    },
    async () => {
      const settled = await chidori.parallel([
        () => send("settle-0"),
        async () => { throw new Error(`no ${await send("settle-1")}`); },
        () => chidori.tool("post", { url: input.url, name: "in-branch" }),
      ], { settle: true });
      return settled.map((each: any) => each.status === "fulfilled" ? each.value : each.reason.message);
    },
    () => chidori.callAgent("child.ts", { url: input.url, name: "in-branch" }),
  ]);
  const child = await chidori.callAgent("child.ts", { url: input.url, name: "at-root" });
  const told = await chidori.prompt("use the tool", { tools: ["post"] });
  const late = await send("late");
  const keys = await chidori.memory("list");
  return { parts, child, told, late, background: await background, seen: [...seen].sort(), keys };
}
"""
CHILD = """
export async function agent(input: { url: string; name: string }, chidori: any) {
  const send = async (name: string) =>
    (await chidori.http(`${input.url}/child-${input.name}-${name}`, { method: "POST", body: name })).body.answer;
  const first = await send("first");
  const both = await chidori.parallel([() => send("left"), () => send("right")]);
  await chidori.memory("set", `child-${input.name}`, both);
  return { first, both };
}
"""
TOOL = """
export const tool = {
  name: "post",
  description: "Posts, then gets.",
  parameters: {
    type: "object", properties: { url: { type: "string" }, name: { type: "string" } }, required: ["url", "name"],
  },
};
export async function run(args: { url: string; name: string }, chidori: any) {
  const posted = await chidori.http(`${args.url}/tool-${args.name}-post`, { method: "POST", body: args.name });
  const got = await chidori.http(`${args.url}/tool-${args.name}-get`);
  return { posted: posted.body.answer, got: got.body.answer };
}
"""
CALLS = 40
# In flight together: two of the background flow and `shared`, two nested branches, three settling ones, a child.
SCENARIO = Scenario({"agent.ts": AGENT, "child.ts": CHILD, "tools/post.ts": TOOL}, requests=23, at_once=8)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How the run ends when nobody kills it, and its records."""
    expected = asyncio.run(SCENARIO.uninterrupted(tmp_path_factory.mktemp("whole")))
    assert len(expected[1]) == CALLS
    return expected


@pytest.mark.parametrize("at_request", [2, 6, 11, 18])
async def test_a_killed_tree_ends_as_if_it_had_not_been_killed(
    tmp_path: Path, uninterrupted: Any, at_request: int
) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(at_request, 0.001)], uninterrupted)


async def test_a_tree_that_is_killed_while_it_is_resumed_ends_all_the_same(tmp_path: Path, uninterrupted: Any) -> None:
    await SCENARIO.kill_and_resume(tmp_path / "run", [(8, 0.002), (2, 0.0), (3, 0.001)], uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("point", range(60))
async def test_sixty_points(tmp_path: Path, uninterrupted: Any, point: int) -> None:
    chance = random.Random(point)
    kills = [(point % SCENARIO.requests + 1, chance.uniform(0, 0.005))]
    if point % 2 == 0:
        kills.append((chance.randrange(1, 5), chance.uniform(0, 0.005)))
    await SCENARIO.kill_and_resume(tmp_path / "run", kills, uninterrupted)
