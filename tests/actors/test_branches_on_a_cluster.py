"""Branches, sub-agents and tools of one run over several hosts."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from actors.calls import answer
from tests.support.agents import output_of, start, within, write_agent
from tests.support.gate import gate
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer

from .clusters import SECONDS, cluster_in, front_of, home_of

pytestmark = [LITELLM_WARNINGS, pytest.mark.slow]
AGENT = "export async function agent(input: any, chidori: any) {\n"
POST = """const post = async (body: string, delay = 0) =>
  (await chidori.http(`${input.url}?delay=${delay}`, { method: "POST", body })).body.total;
"""


async def processes(handles: Any) -> dict[str, int]:
    """The process of each host, by its name."""
    status = await answer(handles.supervisor.status.remote())
    return {host.name: host.pid for host in status.hosts}


async def test_branches_live_on_both_hosts_and_give_what_one_process_gives(tmp_path: Path, namespace: str) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + POST
        + """const mine = new Map([["before", 1]]);
        const late = chidori.http(`${input.url}?delay=300`, { method: "POST", body: "of the parent" });
        const all = await chidori.parallel([0, 1, 2, 3, 4, 5].map((i) => async () => {
          mine.set(`${i}`, await post(`branch ${i}`, 40 * (6 - i)) > 0);
          const nested = await chidori.parallel([() => post(`nested ${i}`), async () => (await late).body.total > 0]);
          return [i, mine.size, nested[1]];
        }));
        return { all, size: mine.size }; }""",
    )
    async with OpenAIServer() as server, cluster_in(tmp_path, namespace) as handles, front_of(handles) as runtime:
        run = asyncio.create_task(start(runtime, path, {"url": f"{server.root}/count"}))
        result = await within(SECONDS, run)
        expected = {"all": [[i, 2, True] for i in range(6)], "size": 1}
        assert output_of(result) == expected
        assert server.counted_bodies.total() == 13
        assert set(server.counted_bodies.values()) == {1}
        assert output_of(await within(SECONDS, runtime.replay("test-run"))) == expected
        assert server.counted_bodies.total() == 13


async def test_a_killed_host_costs_its_branches_nothing_that_they_had_settled(tmp_path: Path, namespace: str) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + POST
        + """return await chidori.parallel([0, 1, 2, 3, 4, 5, 6, 7].map((i) => async () => {
          await post(`first ${i}`); await chidori.http(input.gate + "/hold"); return await post(`third ${i}`) > 0;
        })); }""",
    )
    async with (
        OpenAIServer() as server,
        gate() as target,
        cluster_in(tmp_path, namespace) as handles,
        front_of(handles) as runtime,
    ):
        value = {"url": f"{server.root}/count", "gate": target.url}
        run = asyncio.create_task(start(runtime, path, value))
        await within(SECONDS, target.until_asked("/hold", 8))
        home = await home_of(handles, "test-run")
        at_home = (await answer(home.ping.remote())).pid
        others = [pid for pid in (await processes(handles)).values() if pid != at_home]
        assert others
        os.kill(others[0], signal.SIGKILL)
        await within(SECONDS, target.until_asked("/hold", 9))
        target.open("/hold")
        result = await within(SECONDS, run)
        assert output_of(result) == [True] * 8
        for i in range(8):
            assert server.counted_bodies[f"first {i}"] == 1
            assert server.counted_bodies[f"third {i}"] == 1
        assert output_of(await within(SECONDS, runtime.replay("test-run"))) == [True] * 8


async def test_a_tool_that_needs_a_cpu_lives_on_a_host_that_has_one(tmp_path: Path, namespace: str) -> None:
    path = write_agent(tmp_path, AGENT + """return await chidori.tool("work", { url: input.url }); }""")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "work.ts").write_text(
        """export const tool = { name: "work", description: "Works.", resources: { cpus: 1 } };
        export async function run(args: { url: string }, chidori: any) {
          return (await chidori.http(args.url + "/hold")).status; }"""
    )
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as runtime:
        run = asyncio.create_task(start(runtime, path, {"url": target.url}))
        await within(SECONDS, target.until_asked("/hold"))
        status = await answer(handles.supervisor.status.remote())
        assert [host.actors for host in status.hosts if host.need] == [1]
        target.open("/hold")
        assert output_of(await within(SECONDS, run)) == 200
