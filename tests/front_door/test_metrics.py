"""What the server counts, and how it is told."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.agent_source import load_agent
from chidori_actors.front_door.metrics import Metrics, MetricsPage, SessionCount
from chidori_actors.journal.lanes import Settled, Started
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta, Status, run_writes
from chidori_actors.journal.store import Write
from chidori_actors.runtime import open_runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.settings import RuntimePolicy, Settings

from .exposition import Family, read_exposition
from .small_app import served

PRICED = "gpt-4o-mini"
META = RunMeta(
    id="run-0",
    agent="a.ts",
    status="completed",
    input=b"{}",
    created_at_ms=1,
    updated_at_ms=1,
    seed="00",
    epoch_ms=0,
    lane=1 << 32,
    policy={},
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore.open(tmp_path / "store")
    yield opened
    opened.close()


def call(function: str, **args: object) -> Started:
    return Started(ordinal=1, seq=1, after=0, function=function, args=orjson.dumps(args), at_ms=0)


def settled(duration_ms: float = 1, **fields: Any) -> Settled:
    return Settled(ordinal=1, index=1, at_ms=0, duration_ms=duration_ms, **{"value": b'""', **fields})


def told(metrics: Metrics) -> dict[str, Family]:
    return read_exposition(metrics.render({"completed": 2, "running": 1}, 3, 4))


def value(families: dict[str, Family], name: str, **labels: str) -> float:
    family = next(family for start, family in families.items() if name.startswith(start))
    return family.samples[name, tuple(labels.items())]


def test_a_server_that_did_nothing_yet_has_metrics() -> None:
    families = told(Metrics())
    assert value(families, "chidori_sessions", status="completed") == 2
    assert value(families, "chidori_live_sessions") == 3
    assert value(families, "chidori_live_vms") == 4
    assert value(families, "chidori_journal_commit_seconds_count") == 0


def test_calls_are_counted_by_function_and_outcome() -> None:
    metrics = Metrics()
    for outcome in ({}, {}, {"value": None, "error": {"message": "no"}}, {"value": None, "cancelled": "cancelled"}):
        metrics.call_ended(call("http"), settled(**outcome))
    metrics.call_ended(call("log"), settled())
    families = told(metrics)
    counts = [
        value(families, "chidori_calls_total", function="http", outcome=each) for each in ("ok", "error", "cancelled")
    ]
    assert counts == [2, 1, 1]
    assert value(families, "chidori_calls_total", function="log", outcome="ok") == 1


def test_durations_fall_into_the_first_bucket_that_holds_them() -> None:
    metrics = Metrics()
    for duration_ms in (0, 5, 5.001, 1000, 400_000):
        metrics.call_ended(call("http"), settled(duration_ms))
    families = told(metrics)

    def reached(bound: str) -> float:
        return value(families, "chidori_call_duration_seconds_bucket", function="http", le=bound)

    assert [reached(bound) for bound in ("0.005", "0.01", "0.5", "1", "300", "+Inf")] == [2, 3, 3, 4, 4, 5]
    total = value(families, "chidori_call_duration_seconds_sum", function="http")
    assert total == pytest.approx(401.010001)


def test_tokens_and_cost_are_counted_by_model() -> None:
    metrics = Metrics()
    usage = {"input_tokens": 1000, "output_tokens": 10}
    for _ in range(2):
        metrics.call_ended(call("prompt", model=PRICED), settled(token_usage=usage))
    metrics.call_ended(call("prompt", model='own "m\\odel"\n'), settled(token_usage=usage))
    metrics.call_ended(call("prompt", model="tested"), settled(token_usage=usage, notes={"provider": "test"}))
    families = told(metrics)
    assert value(families, "chidori_tokens_total", model=PRICED, direction="input") == 2000
    assert value(families, "chidori_tokens_total", model=PRICED, direction="output") == 20
    assert 0 < value(families, "chidori_cost_dollars_total", model=PRICED) < 0.01
    assert value(families, "chidori_unpriced_prompts_total", model='own "m\\odel"\n') == 1
    assert value(families, "chidori_cost_dollars_total", model='own "m\\odel"\n') == 0
    assert value(families, "chidori_unpriced_prompts_total", model=PRICED) == 0


def test_runs_that_rested_are_counted_by_status() -> None:
    metrics = Metrics()
    for status in ("completed", "failed", "completed"):
        metrics.rested(status)
    families = told(metrics)
    assert value(families, "chidori_runs_rested_total", status="completed") == 2
    assert value(families, "chidori_runs_rested_total", status="failed") == 1


def test_commits_may_be_observed_from_any_thread() -> None:
    metrics = Metrics()

    def commits() -> None:
        for _ in range(2000):
            metrics.commit_seconds(0.001)

    threads = [threading.Thread(target=commits) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    families = told(metrics)
    assert value(families, "chidori_journal_commit_seconds_count") == 8000
    assert value(families, "chidori_journal_commit_seconds_bucket", le="0.001") == 8000
    assert value(families, "chidori_journal_commit_seconds_bucket", le="0.0005") == 0


async def test_the_store_tells_how_long_its_transactions_took(store: LocalStore) -> None:
    metrics = Metrics()
    store.watch_commits(metrics.commit_seconds)
    await store.commit([Write("meta", b"a", b"1")])
    await store.flush()  # the first transaction is told of before the second is made
    families = told(metrics)
    assert value(families, "chidori_journal_commit_seconds_count") >= 1
    assert value(families, "chidori_journal_commit_seconds_sum") > 0


async def test_sessions_of_the_store_are_counted_by_status(store: LocalStore) -> None:
    large = b'"' + b"x" * 10_000 + b'"'
    statuses: tuple[Status, ...] = ("completed", "completed", "failed", "paused", "awaitingapproval")
    for number, status in enumerate(statuses):
        meta = replace(META, id=f"run-{number}", status=status, output=large)
        await store.commit(run_writes(meta, new=True))
    await store.commit([Write("runs", b"broken", b"what nobody wrote")])
    assert await SessionCount(store).get() == {
        "running": 0,
        "completed": 2,
        "failed": 1,
        "cancelled": 0,
        "paused": 1,
        "awaitingapproval": 1,
        "damaged": 1,
    }


async def test_counting_many_sessions_lets_others_work(store: LocalStore) -> None:
    writes = [write for number in range(1000) for write in run_writes(replace(META, id=f"run-{number}"), new=True)]
    await store.commit(writes)
    count = SessionCount(store)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    first, second = await asyncio.gather(count.get(), count.get())
    other.cancel()
    assert first == second
    assert first["completed"] == 1000
    assert turns >= 4


async def test_the_page_is_what_prometheus_reads(store: LocalStore) -> None:
    await store.commit(run_writes(META, new=True))
    app = web.Application()
    app.router.add_get("/metrics", MetricsPage(Metrics(), store, lambda: 5, lambda: 6).handle)
    async with served(app) as send:
        page = await send("GET", "/metrics")
    assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = read_exposition(page.body.decode())
    assert value(families, "chidori_sessions", status="completed") == 1
    assert (value(families, "chidori_live_sessions"), value(families, "chidori_live_vms")) == (5, 6)


async def test_vms_are_live_while_their_runs_are(tmp_path: Path) -> None:
    entry = tmp_path / "agent.ts"
    entry.write_text("export async function agent() { return 1; }")
    seen: list[int] = []
    async with open_runtime(Settings(store=tmp_path / "store")) as runtime:
        seen.append(runtime.live_vms)
        attendance = Attendance(holding=lambda root: seen.append(runtime.live_vms))
        await runtime.run(load_agent(entry, RuntimePolicy()), entry, attendance=attendance)
        seen.append(runtime.live_vms)
    assert seen == [0, 1, 0]
