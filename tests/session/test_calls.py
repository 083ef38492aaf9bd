"""How an agent's calls overlap, are cancelled, fail and are recorded."""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.session.attendance import Attendance
from tests.support.agents import (
    RecordingObserver,
    calls_of,
    failure_of,
    functions_with,
    output_of,
    records_of,
    runtime_in,
    start,
    use_functions,
    within,
    write_agent,
)
from tests.support.openai_server import OpenAIServer

AGENT = "export async function agent(input: any, chidori: any) {\n"


async def test_calls_of_promise_all_overlap(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT + "const all = await Promise.all([1, 2, 3, 4].map((i) => chidori.http(input.url + i)));"
        "return all.map((answer) => answer.status); }",
    )
    async with OpenAIServer(delay_ms=300) as server, runtime_in(tmp_path) as runtime:
        began = time.perf_counter()
        posts = AGENT + (
            'const post = (i: number) => chidori.http(input.url, { method: "POST", body: `${i}` });'
            "return (await Promise.all([1, 2, 3, 4].map(post))).map((answer: any) => answer.body.total); }"
        )
        path = write_agent(tmp_path, posts)
        result = await within(20, start(runtime, path, {"url": f"{server.root}/count"}))
        assert sorted(output_of(result)) == [1, 2, 3, 4]
        assert server.max_in_flight == 4
        assert time.perf_counter() - began < 1.1


async def test_a_race_with_a_timer_ends_at_the_timer_and_cancels_the_call(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const late = new Promise((resolve) => setTimeout(() => resolve("late"), 20));
        return Promise.race([chidori.http(input.url, { method: "POST", body: "x" }), late]); }""",
    )
    async with OpenAIServer(delay_ms=30_000) as server, runtime_in(tmp_path) as runtime:
        result = await within(10, start(runtime, path, {"url": f"{server.root}/count"}))
        assert output_of(result) == "late"
        await within(5, server.disconnected.wait())
        by_function = {record["function"]: record for record in records_of(runtime.store)}
        assert by_function["timer"]["result"] is None
        assert "error" not in by_function["timer"]
        assert by_function["http"]["error"] == "cancelled: outcome unknown"
        assert by_function["http"]["result"] is None
        assert output_of(await runtime.replay("test-run")) == "late"


async def test_an_abort_controller_cancels_the_call_in_flight(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const controller = new AbortController();
        setTimeout(() => controller.abort(), 20);
        try {
          await chidori.http(input.url, { method: input.method, body: "x", signal: controller.signal });
        } catch (error) { return [error.name, await chidori.tryCall(() => chidori.log("on"))]; } }""",
    )
    async with OpenAIServer(delay_ms=30_000) as server, runtime_in(tmp_path) as runtime:
        result = await within(10, start(runtime, path, {"url": f"{server.root}/count", "method": "POST"}))
        assert output_of(result)[0] == "AbortError"
        http = next(record for record in records_of(runtime.store) if record["function"] == "http")
        assert http["error"] == "cancelled: outcome unknown"
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_an_aborted_signal_makes_no_call(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT + "return (await chidori.tryCall(() => chidori.prompt('x', { signal: AbortSignal.abort() }))).ok; }",
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) is False
        assert calls_of(runtime.store) == []


async def test_calls_in_flight_at_the_end_are_cancelled_and_unawaited_notes_are_finished(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """chidori.http(input.url, { method: "POST", body: "never read" });
        setTimeout(() => {}, 60_000);
        await new Promise((resolve) => setTimeout(resolve, 30));
        chidori.log("not awaited");
        chidori.memory("set", "key", 7);
        chidori.checkpoint("mark");
        return 1; }""",
    )
    async with OpenAIServer(delay_ms=30_000) as server, runtime_in(tmp_path) as runtime:
        result = await within(10, start(runtime, path, {"url": f"{server.root}/count"}))
        assert output_of(result) == 1
        errors = [(record["function"], record.get("error")) for record in records_of(runtime.store)]
        assert sorted(errors, key=str) == [
            ("checkpoint", None),
            ("http", "cancelled: outcome unknown"),
            ("log", None),
            ("memory", None),
            ("timer", "cancelled"),
            ("timer", None),
        ]
        assert output_of(await runtime.replay("test-run")) == 1
        recall = write_agent(tmp_path, AGENT + "return chidori.memory('get', 'key'); }")
        assert output_of(await start(runtime, recall, run_id="second")) == 7


async def test_an_agent_that_waits_for_nothing_fails_and_replays(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "await chidori.log('a'); await new Promise(() => {}); }")
    async with runtime_in(tmp_path) as runtime:
        failed = failure_of(await within(10, start(runtime, path)))
        assert "waits for a promise that nothing can settle" in failed.error["message"]
        assert failure_of(await runtime.replay("test-run")) == failed


@pytest.mark.parametrize(
    ("backoff", "waits"), [("constant", [4, 4, 4]), ("linear", [4, 8, 12]), ("exponential", [4, 8, 16])]
)
async def test_retry_waits_durably(tmp_path: Path, backoff: str, waits: list[int]) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + f"""return chidori.retry(async (attempt: number) => {{
          if (attempt < 4) throw new Error("again"); return attempt;
        }}, {{ attempts: 4, delayMs: 4, backoff: "{backoff}" }}); }}""",
    )
    async with runtime_in(tmp_path) as runtime:
        began = time.monotonic()
        assert output_of(await start(runtime, path)) == 4
        assert time.monotonic() - began >= sum(waits) / 1000
        assert [record["args"] for record in records_of(runtime.store)] == [{"ms": ms} for ms in waits]


async def test_retry_gives_up_with_the_last_error_and_try_call_catches(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """let made = 0;
        const tried = await chidori.tryCall(() => chidori.retry(() => { throw new Error(`no ${++made}`); },
          { attempts: 3, delayMs: 0 }));
        const fine = await chidori.tryCall(async () => 5);
        const odd = await chidori.tryCall(() => { throw "text"; });
        return [tried, fine, odd]; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) == [
            {"ok": False, "error": "no 3"},
            {"ok": True, "value": 5},
            {"ok": False, "error": "text"},
        ]


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_an_unhandled_host_error_names_its_place_in_the_agents_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        raise HostError("the model is away", name="ProviderError", data={"status": 503})

    use_functions(monkeypatch, functions_with(prompt=prompt))
    source = """interface Unused { one: string; two: number }
type Also = { a: 1 } | { b: 2 };

enum Kind { One, Two }

export async function agent(input: { x?: number }, chidori: any): Promise<unknown> {
  const kind: Kind = Kind.Two;
  await chidori.log("first");
  const text = await chidori.prompt("second");
  return text as string;
}
"""
    path = write_agent(tmp_path, source)
    async with runtime_in(tmp_path) as runtime:
        failed = failure_of(await start(runtime, path))
        assert failed.error["message"] == "the model is away"
        assert failed.error["name"] == "ProviderError"
        line = source.split("\n").index('  const text = await chidori.prompt("second");') + 1
        place, found_line, column = failed.error["location"].rsplit(":", 2)
        assert (place, int(found_line)) == ("agent.ts", line)
        assert source.split("\n")[line - 1][int(column) - 1 :].startswith(("prompt", "chidori.prompt"))
        assert failed.error["source_line"] == 'const text = await chidori.prompt("second");'
        assert failed.call == 2
        failed_record = records_of(runtime.store)[-1]
        assert failed_record["error"] == "the model is away"
        assert failed_record["error_name"] == "ProviderError"
        assert failed_record["error_data"] == {"status": 503}
        assert failed_record["result"] is None


@pytest.mark.parametrize(
    "wrapping",
    [
        "throw new Error('outer', { cause: error });",
        "throw new Error('outermost', { cause: new Error('outer', { cause: error }) });",
        "throw new AggregateError([error], 'several');",
        "throw error;",
    ],
)
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_an_error_with_a_failed_call_as_its_cause_is_that_calls(
    tmp_path: Path, wrapping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        raise HostError("away")

    use_functions(monkeypatch, functions_with(prompt=prompt))
    path = write_agent(
        tmp_path,
        AGENT + f"await chidori.log('1'); try {{ await chidori.prompt('2'); }} catch (error) {{ {wrapping} }} }}",
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        assert failure_of(result).call == 2
        assert result.meta.failed_ordinal == 2


async def test_records_are_as_the_wire_contract_says(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """await chidori.log("one", { n: 1 });
        await Promise.all([chidori.memory("set", "k", [1]), chidori.checkpoint("two")]);
        return chidori.memory("list"); }""",
    )
    async with runtime_in(tmp_path) as runtime:
        await start(runtime, path)
        records = records_of(runtime.store)
        assert [record["function"] for record in records] == ["log", "memory", "checkpoint", "memory"]
        assert [record["seq"] for record in records] == [1, 2, 3, 4]
        assert [record["path"] for record in records] == ["1", "2", "3", "4"]
        assert [record["index"] for record in records] == [1, 2, 3, 4]
        assert records[0]["args"] == {"message": "one", "fields": {"n": 1}}
        assert records[1]["args"] == {
            "action": "set",
            "key": "k",
            "namespace": "default",
            "prefix": None,
            "value": [1],
        }
        assert records[3]["result"] == ["k"]
        for record in records:
            assert "parent_seq" not in record
            assert "error" not in record
            assert record["actor"] == ""
            assert isinstance(record["duration_ms"], int)
            assert record["timestamp"].endswith("Z")
            assert datetime.fromisoformat(record["timestamp"]).utcoffset() is not None
        assert [call.after for call in calls_of(runtime.store)] == [0, 1, 1, 3]


async def test_a_call_knows_how_many_answers_the_agent_had(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const chain = async (name: string) => { await chidori.log(name + 1); await chidori.log(name + 2); };
        await Promise.all([chain("a"), chain("b")]); }""",
    )
    async with runtime_in(tmp_path) as runtime:
        await start(runtime, path)
        made = [(call.after, bytes(call.args)) for call in calls_of(runtime.store)]
        assert made == [
            (0, b'{"message":"a1"}'),
            (0, b'{"message":"b1"}'),
            (1, b'{"message":"a2"}'),
            (2, b'{"message":"b2"}'),
        ]


async def test_the_agents_clock_is_the_recorded_time_of_its_last_answer(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const times = [Date.now(), Date.now()];
        for (let i = 0; i < 3; i++) { await new Promise((r) => setTimeout(r, 3)); times.push(Date.now()); }
        return times; }""",
    )
    observer = RecordingObserver()
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path, attendance=Attendance(observer=observer))
        settled = [settled.at_ms for _, _, settled, _ in observer.of("call_ended")]
        started_at = result.meta.epoch_ms
        assert output_of(result) == [started_at, started_at, *settled]
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_a_function_name_with_a_tab_does_not_break_the_call(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + r"""const odd = { ["a\tb\nc"]: async () => chidori.log("fine") };
        await odd["a\tb\nc"](); return 1; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) == 1


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_every_post_is_recorded_as_started_before_it_is_sent(tmp_path: Path) -> None:
    """Also when several leave in one step: only one of them finds its entry not yet on its way."""
    path = write_agent(
        tmp_path,
        AGENT
        + """const post = (i: number) => chidori.http(input.url, { method: "POST", body: `${i}` });
        await Promise.all([post(1), post(2), post(3)]); return 1; }""",
    )
    unsaved: list[str] = []
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        assert isinstance(runtime.store, LocalStore)
        environment = runtime.store._use().environment
        holding: list[Any] = []

        def hold_the_journal(path: str, call: Any) -> None:
            if not holding:
                blocker = environment.transaction(write=True)
                blocker.__enter__()
                holding.append(blocker)
                asyncio.get_running_loop().call_later(0.3, release)

        def release() -> None:
            unsaved.extend(server.counted_bodies)
            holding[0].__exit__(None, None, None)

        attendance = Attendance(observer=RecordingObserver(when_started=hold_the_journal))
        result = await within(20, start(runtime, path, {"url": f"{server.root}/count"}, attendance=attendance))
        assert output_of(result) == 1
        assert server.counted_bodies == {"1": 1, "2": 1, "3": 1}
    assert unsaved == []


async def test_deeply_nested_values_are_recorded(tmp_path: Path) -> None:
    """As deep as the boundary lets them through."""
    path = write_agent(
        tmp_path,
        AGENT
        + """let deep: any = 1; for (let i = 0; i < 198; i++) deep = [deep];
        await chidori.log("deep", { deep });
        await chidori.memory("set", "deep", deep);
        const back = await chidori.memory("get", "deep");
        return JSON.stringify(back) === JSON.stringify(deep); }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) is True
        assert len(records_of(runtime.store)) == 3
        assert output_of(await runtime.replay("test-run")) is True


async def test_an_agent_may_end_with_the_first_of_several_writes_that_are_durable_at_once(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        """export async function agent(input: any, chidori: any) {
          const [first] = [1, 2, 3, 4].map((i) => chidori.memory("set", `key ${i}`, i));
          await first;
          return "ended";
        }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(20, start(runtime, path))) == "ended"
        assert [record["result"] for record in records_of(runtime.store)] == [None] * 4
