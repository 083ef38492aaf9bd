"""JavaScript that runs long leaves the event loop to others, and gives the same result."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chidori_actors.journal.forks import get_fork
from chidori_actors.journal.runs import get_run
from chidori_actors.session import actor_images, forks, vm_host
from chidori_actors.vm.machine import Bounds
from tests.support.agents import (
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)

SLOW = """export async function agent(input: any, chidori: any) {
  const out: string[] = []; const sums = new Map<number, number>();
  const work = (turn: number) => {
    let sum = turn;
    for (let i = 0; i < input.loops; i++) sum = (sum * 31 + i) | 0;
    sums.set(turn, sum);
  };
  for (let turn = 0; turn < input.turns; turn++) {
    out.push(await chidori.prompt(`turn ${turn}`));
    if (turn >= input.quick) work(turn);
  }
  return { out, sums: [...sums], random: Math.random() };
}"""
LOOPS = 700_000


@pytest.mark.parametrize("image_every", [64, 1])
@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_slow_javascript_gives_the_same_result_and_stalls_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_every: int
) -> None:
    monkeypatch.setattr(actor_images, "_IMAGE_WORTH", 0)
    path = write_agent(tmp_path, SLOW)
    value = {"loops": LOOPS, "turns": 5, "quick": 2}
    gaps: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async with runtime_in(tmp_path, image_every=image_every) as runtime:
        await start(runtime, path, {**value, "turns": 1}, run_id="warm-up")
        beating = asyncio.create_task(beat())
        began = time.perf_counter()
        slow = await within(40, start(runtime, path, value))
        took = time.perf_counter() - began
        beating.cancel()
        assert output_of(slow)["out"] == ["fine"] * 5
        assert took > 3 * vm_host.LOOP_SECONDS, "the work was too short for this test"
        assert max(gaps) < 0.1
        assert output_of(await within(40, runtime.replay("test-run"))) == output_of(slow)
        assert len(records_of(runtime.store)) == 5
        monkeypatch.setattr(vm_host, "LOOP_SECONDS", 30)
        assert output_of(await within(40, runtime.replay("test-run"))) == output_of(slow), "without the pool"


async def test_a_slow_start_is_repeated_in_the_pool(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """let sum = 0; for (let i = 0; i < 2_000_000; i++) sum = (sum * 31 + i) | 0;
        export async function agent(input: any, chidori: any) {
          await chidori.log("on"); return [sum, Math.random()]; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        first = output_of(await within(20, start(runtime, path)))
        assert output_of(await within(20, runtime.replay("test-run"))) == first


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_an_endless_loop_fails_the_run_with_its_bound_and_others_go_on(tmp_path: Path) -> None:
    endless = write_agent(
        tmp_path,
        "export async function agent(input: any, chidori: any) { await chidori.log('1'); for (;;) {} }",
        "endless.ts",
    )
    fine = write_agent(tmp_path, SLOW)
    async with runtime_in(tmp_path, bounds=Bounds(step_seconds=0.3)) as runtime:
        failing = asyncio.create_task(start(runtime, endless, run_id="endless"))
        other = await within(20, start(runtime, fine, {"loops": 10, "turns": 20, "quick": 0}))
        assert len(output_of(other)["out"]) == 20
        failed = failure_of(await within(20, failing))
        assert failed.error["name"] == "BoundExceeded"
        assert "ran for 0.3 s without waiting" in failed.error["message"]
        assert failure_of(await within(20, runtime.replay("endless"))) == failed


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_memory_bomb_fails_the_run_with_its_bound(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
          await chidori.log("1"); const all = []; for (let i = 0; ; i++) all.push({ i }); }""",
    )
    async with runtime_in(tmp_path, bounds=Bounds(memory_bytes=16 << 20)) as runtime:
        failed = failure_of(await within(20, start(runtime, path)))
        assert "memory" in failed.error["message"]
        assert failure_of(await within(20, runtime.replay("test-run"))).error["name"] == failed.error["name"]


async def test_cancelling_a_run_in_the_pool_leaves_it_resumable(tmp_path: Path) -> None:
    path = write_agent(tmp_path, SLOW)
    value = {"loops": LOOPS, "turns": 3, "quick": 0}
    async with runtime_in(tmp_path) as runtime:
        running = asyncio.create_task(start(runtime, path, value))
        await asyncio.sleep(0.15)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(20, running)
        resumed = output_of(await within(40, runtime.resume("test-run")))
        assert resumed["out"] == ["fine"] * 3
        assert output_of(await within(40, runtime.replay("test-run"))) == resumed


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_run_that_exceeded_a_bound_goes_on_under_a_larger_one(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: { loops: number }, chidori: Chidori) {
          await chidori.log("before");
          let sum = 0;
          for (let i = 0; i < input.loops; i++) sum += i % 7;
          return sum;
        }""",
    )
    value = {"loops": 5_000_000}
    async with runtime_in(tmp_path, bounds=Bounds(step_seconds=0.05)) as runtime:
        assert failure_of(await start(runtime, path, value)).error["name"] == "BoundExceeded"
    async with runtime_in(tmp_path) as runtime:
        resumed = await runtime.resume("test-run")
        assert output_of(resumed) == sum(i % 7 for i in range(5_000_000))
        assert [record["function"] for record in records_of(runtime.store)] == ["log"]


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_fork_whose_history_exceeds_a_bound_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: Chidori) {
          for (let i = 0; i < 5_000_000; i++);
          const branches = chidori.parallel([() => chidori.input("Go on?")]).catch((error) => error.name);
          await chidori.log("after the fork");
          return await branches;
        }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert pause_of(await start(runtime, path)).questions[0].prompt == "Go on?"
        known = get_fork(runtime.store, get_run(runtime.store, "test-run").lane, 1)
        assert known is not None
    monkeypatch.setattr(forks, "get_fork", lambda *at: replace(known, payload=None))
    async with runtime_in(tmp_path, bounds=Bounds(step_seconds=0.05)) as runtime:
        assert output_of(await within(20, runtime.resume("test-run"))) == "BoundExceeded"
        stored = get_fork(runtime.store, get_run(runtime.store, "test-run").lane, 1)
        assert stored is not None
        assert stored.payload is None
