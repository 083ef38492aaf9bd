"""``chidori.parallel``: durable branches that are forks of the agent."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.errors import ChidoriError
from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.machine import Bounds
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    failure_of,
    output_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted

pytestmark = LITELLM_WARNINGS
AGENT = "export async function agent(input: any, chidori: any) {\n"
POST = """const post = async (body: string, delay: number | string = 0) =>
  (await chidori.http(`${input.url}?${+delay >= 0 ? "delay=" : ""}${delay}`, { method: "POST", body })).body.total;
"""
HOLD_MS = 60_000


async def run_body(runtime: Runtime, folder: Path, body: str, server: OpenAIServer | None = None) -> RunResult:
    """Run an agent whose function has ``body``, with ``post`` in it."""
    path = write_agent(folder, f"{AGENT}{POST}{body}\n}}")
    value = {"url": f"{server.root}/count"} if server is not None else {}
    result: RunResult = await within(40, start(runtime, path, value))
    return result


def models(server: OpenAIServer) -> dict[str, str]:
    """Settings of a run that asks the models of ``server``."""
    others = {key: text for key, text in LOCAL.items() if key != "CHIDORI_TEST_LLM_RESPONSE"}
    return {**others, "LITELLM_API_URL": server.url, "LITELLM_API_KEY": "k", "CHIDORI_MODEL": "m"}


async def output_and_replay(folder: Path, body: str, server: OpenAIServer | None = None) -> Any:
    """The output of an agent, after a look whether its replay gives the same and calls nobody."""
    async with runtime_in(folder) as runtime:
        result = await run_body(runtime, folder, body, server)
        output = output_of(result)
        asked = server.counted_bodies.total() if server else 0
        assert output_of(await within(20, runtime.replay("test-run"))) == output
        assert not server or server.counted_bodies.total() == asked
    return output


async def failure_and_replay(folder: Path, body: str, server: OpenAIServer | None = None) -> dict[str, Any]:
    """The error that an agent fails with, after a look whether its replay fails in the same way."""
    async with runtime_in(folder) as runtime:
        failed = failure_of(await run_body(runtime, folder, body, server))
        assert failure_of(await within(20, runtime.replay("test-run"))) == failed
    return failed.error


def errors_of(runtime: Runtime) -> dict[str, Any]:
    """Each record's error by its path."""
    return {record["path"]: record.get("error") for record in records_of(runtime.store)}


def statuses_of(runtime: Runtime) -> dict[str, str]:
    """Each actor's status by its path, the root's not among them."""
    return {meta.path: meta.status for meta in run_actors(runtime.store, get_run(runtime.store, "test-run").lane)}


# -- results ----


async def test_results_come_in_order_whichever_branch_is_first(tmp_path: Path) -> None:
    body = "return chidori.parallel([3, 2, 1].map((turn, i) => async () => [i, await post(`p${i}`, `turn=${turn}`)]));"
    async with OpenAIServer() as server:
        output = await output_and_replay(tmp_path, body, server)
        assert output == [[0, 3], [1, 2], [2, 1]]
        assert server.counted_bodies == {"p0": 1, "p1": 1, "p2": 1}


@pytest.mark.parametrize(
    ("thunks", "expected"),
    [
        ("[]", []),
        ("[() => 1]", [1]),
        ("[async () => {}]", [None]),
        ("[() => ({ a: [1, null] }), () => 'text', () => false]", [{"a": [1, None]}, "text", False]),
    ],
)
async def test_few_branches_and_branches_without_calls(tmp_path: Path, thunks: str, expected: Any) -> None:
    assert await output_and_replay(tmp_path, f"return chidori.parallel({thunks});") == expected


async def test_records_have_their_container_and_come_before_it(tmp_path: Path) -> None:
    body = """await chidori.log("first");
    await chidori.parallel([async () => { await chidori.log("a"); await chidori.parallel([() => chidori.log("b")]); },
      () => chidori.log("c")]);"""
    async with runtime_in(tmp_path) as runtime:
        output_of(await run_body(runtime, tmp_path, body))
        records = records_of(runtime.store)
        by_path = {record["path"]: record for record in records}
        assert by_path.keys() == {"1", "2", "2/b0/1", "2/b0/2", "2/b0/2/b0/1", "2/b1/1"}
        assert len({record["seq"] for record in records}) == len(records)
        for inner, outer in {"2/b0/1": "2", "2/b0/2": "2", "2/b0/2/b0/1": "2/b0/2", "2/b1/1": "2"}.items():
            assert by_path[inner]["parent_seq"] == by_path[outer]["seq"]
            assert records.index(by_path[inner]) < records.index(by_path[outer])
        assert "parent_seq" not in by_path["2"]
        assert by_path["2"]["args"] == {"count": 2, "concurrency": None}


@pytest.mark.parametrize(
    ("thunks", "words"),
    [
        ("[() => 1, 7]", "item 1 is not a function but 7"),
        ("[{ a: 1 }]", "item 0 is not a function"),
        ("[() => 1, () => 2, chidori.log('x')]", "item 2 is a promise, which runs already; write () => "),
        ("chidori.log('x')", "the first argument must be an array of functions"),
        ("[() => 1], { concurrency: 0 }", '"concurrency" must be a whole number of at least 1'),
        ("[() => 1], { concurrency: 1.5 }", '"concurrency" must be a whole number of at least 1'),
        ("[() => 1], { limit: 2 }", 'unknown option "limit"'),
        ("new Array(2)", "item 0 is not a function but undefined"),
    ],
)
async def test_what_is_no_list_of_functions_is_refused(tmp_path: Path, thunks: str, words: str) -> None:
    error = await failure_and_replay(tmp_path, f"return await chidori.parallel({thunks});")
    assert words in error["message"]
    assert error["name"] == "TypeError"
    assert error["location"].startswith("agent.ts:4:")


async def test_what_a_branch_changes_stays_in_the_branch(tmp_path: Path) -> None:
    body = """const seen: number[] = []; let count = 0;
    const inside = await chidori.parallel([1, 2, 3].map((n) => async () => {
      seen.push(n); count += n; await post(`p${n}`); return [seen.length, count];
    }));
    return { inside, seen, count };"""
    async with OpenAIServer() as server:
        output = await output_and_replay(tmp_path, body, server)
    assert output == {"inside": [[1, 1], [1, 2], [1, 3]], "seen": [], "count": 0}


async def test_without_isolation_branches_share_variables_and_the_limit_holds(tmp_path: Path) -> None:
    body = """const seen: number[] = [];
    const order = await chidori.parallel([1, 2, 3, 4, 5].map((n) => async () => {
      const total = await post(`p${n}`, 20); seen.push(n); return total > 0;
    }), { isolate: false, concurrency: 2 });
    return { order, seen: seen.sort() };"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await run_body(runtime, tmp_path, body, server)
        assert output_of(result) == {"order": [True] * 5, "seen": [1, 2, 3, 4, 5]}
        assert server.max_in_flight == 2
        assert [record["function"] for record in records_of(runtime.store)] == ["http"] * 5
        assert statuses_of(runtime) == {}
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_without_isolation_settle_reports_each(tmp_path: Path) -> None:
    body = """const all = await chidori.parallel([() => 1, () => { throw new RangeError("no"); }],
      { isolate: false, settle: true });
    return all.map((each: any) => [each.status, each.value ?? each.reason.name]);"""
    assert await output_and_replay(tmp_path, body) == [["fulfilled", 1], ["rejected", "RangeError"]]


# -- failures ----


async def test_the_first_rejection_names_its_branch_and_cancels_the_others_in_flight(tmp_path: Path) -> None:
    body = """try {
      await chidori.parallel([
        () => post("a", 60000),
        () => chidori.http(`${input.url.replace("count", "stats")}x`, { query: { delay: "60000" } }),
        async () => { await post("b"); throw new RangeError("broken"); },
        () => new Promise((resolve) => setTimeout(resolve, 60000)),
      ]);
    } catch (error) { return [error.name, error.message, error.branch]; }"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await run_body(runtime, tmp_path, body.replace("statsx", "stats"), server)
        # The GET of a path that is not there ends by itself; it is there for a call that has ended well.
        assert output_of(result) == ["RangeError", "branch 2: broken", 2]
        await within(10, server.disconnected.wait())
        errors = errors_of(runtime)
        assert errors["1/b0/1"] == "cancelled: outcome unknown"
        assert errors["1/b2/1"] is None
        assert errors["1/b3/1"] == "cancelled"
        assert errors["1"] == "branch 2: broken"
        statuses = statuses_of(runtime)
        assert (statuses["1/b0"], statuses["1/b2"], statuses["1/b3"]) == ("cancelled", "failed", "cancelled")
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_a_model_call_in_flight_is_cancelled_with_its_branch(tmp_path: Path) -> None:
    body = """try { await chidori.parallel([
      () => chidori.prompt("slow [delay=60000]"),
      async () => { await chidori.prompt("quick"); throw new Error("enough"); }]);
    } catch (error) { return error.message; }"""
    async with OpenAIServer() as server:
        environ = models(server)
        async with runtime_in(tmp_path, environ) as runtime:
            assert output_of(await run_body(runtime, tmp_path, body)) == "branch 1: enough"
            await within(10, server.disconnected.wait())
            assert errors_of(runtime)["1/b0/1"] == "cancelled"


async def test_a_rejection_cancels_all_levels_below(tmp_path: Path) -> None:
    body = """const deep = (n: number): Promise<any> => n === 0 ? post("deep", 60000)
      : chidori.parallel([() => deep(n - 1), () => post(`at ${n}`)]);
    try { await chidori.parallel([() => deep(3), async () => {
      await new Promise((resolve) => setTimeout(resolve, 300)); throw new Error("stop"); }]);
    } catch (error) { return error.message; }"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        assert output_of(await run_body(runtime, tmp_path, body, server)) == "branch 1: stop"
        await within(10, server.disconnected.wait())
        errors = errors_of(runtime)
        deepest = "1/b0/1/b0/1/b0/1/b0/1"
        assert errors[deepest] == "cancelled: outcome unknown"
        for path in ("1/b0/1", "1/b0/1/b0/1", "1/b0/1/b0/1/b0/1"):
            assert errors[path] == "cancelled"
        assert all(f"at {n}" in server.counted_bodies for n in (1, 2, 3))
        assert "running" not in statuses_of(runtime).values()


async def test_settle_gives_each_outcome_and_cancels_none(tmp_path: Path) -> None:
    body = """const all = await chidori.parallel([
      () => post("a", 200), async () => { throw new RangeError("broken"); }, async () => { throw "text"; },
      () => chidori.tool("absent"), () => 5], { settle: true });
    return all.map((each: any) => each.status === "fulfilled" ? each.value
      : [each.reason instanceof Error, each.reason.name, each.reason.message, each.reason.branch]);"""
    async with OpenAIServer() as server:
        output = await output_and_replay(tmp_path, body, server)
    assert output[0] == 1
    assert output[1] == [True, "RangeError", "branch 1: broken", 1]
    assert output[2][:2] == [True, "Error"]
    assert "threw 'text'" in output[2][2] or 'threw "text"' in output[2][2]
    assert output[3][2].startswith("branch 3: ")
    assert output[4] == 5


async def test_a_failure_inside_has_its_place_inside(tmp_path: Path) -> None:
    body = """const bad = async (n: number) => {
      await chidori.log("x");
      if (n) throw new TypeError(`bad ${n}`);
    };
    await chidori.parallel([() => bad(0),
      () => chidori.parallel([() => bad(0), () => bad(0), () => bad(7)])]);"""
    error = await failure_and_replay(tmp_path, body)
    assert error["message"] == "branch 1: branch 2: bad 7"
    assert error["name"] == "TypeError"
    assert error["location"] == "agent.ts:6:24"
    assert error["source_line"] == "if (n) throw new TypeError(`bad ${n}`);"
    assert error["data"] == {"branch": 1}


@pytest.mark.parametrize(
    ("thunk", "words", "seconds"),
    [
        ("const grow: any[] = []; for (;;) grow.push(new Array(10000).fill(grow.length));", "32 MB of memory", 10),
        ("const f = (n: number): number => 1 + f(n + 1); f(0);", "nested too deep", 10),
        ("for (;;) {}", "ran for 0.5 s without waiting", 0.5),
        ("return new ArrayBuffer(2 ** 31 - 1);", "out of memory", 10),
    ],
)
@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_branch_that_exceeds_a_bound_rejects_alone(
    tmp_path: Path, thunk: str, words: str, seconds: float
) -> None:
    body = f"""const all = await chidori.parallel([
      async () => {{ await chidori.log("a"); return "well"; }},
      async () => {{ await chidori.log("b"); {thunk} }},
      async () => {{ await new Promise((resolve) => setTimeout(resolve, 50)); return "too"; }},
    ], {{ settle: true }});
    return [all[0].value, all[1].reason.message, all[2].value];"""
    async with runtime_in(tmp_path, bounds=Bounds(memory_bytes=32 << 20, step_seconds=seconds)) as runtime:
        result = await run_body(runtime, tmp_path, body)
        output = output_of(result)
        assert (output[0], output[2]) == ("well", "too")
        assert output[1].startswith("branch 1: ")
        assert words in output[1]
        assert output_of(await runtime.replay("test-run")) == output


@pytest.mark.parametrize(
    ("thunk", "words"),
    [
        ("() => 1n", "BigInt"),
        ("() => { const a: any = {}; a.a = a; return a; }", "part of a cycle"),
        ("async () => Promise.reject()", "undefined"),
        ("async () => { throw { code: 7 }; }", "not an Error"),
        ("async () => { throw null; }", "null"),
    ],
)
async def test_what_is_no_json_and_no_error_becomes_an_error_of_the_branch(
    tmp_path: Path, thunk: str, words: str
) -> None:
    body = f"""try {{ await chidori.parallel([() => 1, {thunk}]); }}
      catch (error) {{ return [error.message, error.branch]; }}"""
    message, branch = await output_and_replay(tmp_path, body)
    assert branch == 1
    assert message.startswith("branch 1: ")
    assert words in message


# -- how many at once ----


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_no_more_than_the_limit_run_at_once(tmp_path: Path, limit: int) -> None:
    together = min(limit, 12)
    body = f"""const all = await chidori.parallel(
      Array.from({{ length: 12 }}, (_, i) => () => post(`p${{i}}`, "together={together}")), {{ concurrency: {limit} }});
    return all.length;"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == 12
        assert server.max_in_flight == together
        assert server.counted_bodies.total() == 12


async def test_a_failure_starts_none_of_those_that_wait(tmp_path: Path) -> None:
    body = """return await chidori.tryCall(() => chidori.parallel(Array.from({ length: 10 }, (_, i) => async () => {
      await post(`p${i}`); if (i === 3) throw new Error("third"); }), { concurrency: 2 }));"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        assert output_of(await run_body(runtime, tmp_path, body, server)) == {"ok": False, "error": "branch 3: third"}
        assert not {f"p{i}" for i in range(6, 10)} & server.counted_bodies.keys()
        assert len(statuses_of(runtime)) < 7


async def test_two_hundred_branches(tmp_path: Path) -> None:
    body = """const all = await chidori.parallel(Array.from({ length: 200 }, (_, i) => async () => {
      await chidori.log(`${i}`); return [i, Math.random()]; }));
    return [all.every(([n]: any, i: number) => n === i), new Set(all.map(([, r]: any) => r)).size];"""
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await run_body(runtime, tmp_path, body)) == [True, 200]
        assert len(records_of(runtime.store)) == 201


# -- the parent's own flows ----


async def test_a_background_flow_of_the_parent_posts_exactly_once(tmp_path: Path) -> None:
    body = """const background = (async () => { await post("first", 100); return post("second"); })();
    const all = await chidori.parallel([1, 2, 3].map((n) => async () => {
      const first = await post(`own ${n}`, 150); await post(`more ${n}`, 50); return first > 0; }));
    return [all, (await background) > 0];"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == [[True, True, True], True]
        once = ["first", "second", *(f"{what} {n}" for what in ("own", "more") for n in (1, 2, 3))]
        assert server.counted_bodies == Counter(once)


async def test_a_call_of_the_parent_settles_in_every_branch_that_awaits_it(tmp_path: Path) -> None:
    body = """const early = post("early", 1), late = post("late", 200);
    const call = chidori.http(`${input.url}?delay=120`, { method: "POST", body: "shared" });
    const flaw = chidori.tool("absent"); flaw.catch(() => {});
    const all = await chidori.parallel([
      async () => (await call).status, async () => (await call).body.count,
      async () => { try { await flaw; } catch (error) { return error.message.length > 0; } },
      async () => { await chidori.parallel([async () => (await call).status]); return (await call).status; },
    ]);
    return [all, await early > 0, await late > 0];"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == [[200, 1, True, 200], True, True]
        assert server.counted_bodies == {"shared": 1, "early": 1, "late": 1}


async def test_what_is_settled_while_the_agent_computes_its_way_to_the_fork_reaches_the_branches(
    tmp_path: Path,
) -> None:
    """The step is a long one of the pool's, so that the answers are durable and not given yet when the agent forks."""
    body = """const send = (body: string) => chidori.http(`${input.url}?delay=20`, { method: "POST", body });
    const shared = send("shared"), other = send("other");
    await chidori.log("first");
    let n = 0; for (let i = 0; i < 8_000_000; i++) n += i;
    const all = await chidori.parallel([async () => [(await shared).status, (await other).status], async () => n]);
    return [all, (await shared).body.count];"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == [[[200, 200], 31999996000000], 1]


async def test_waiting_for_what_only_a_flow_of_the_parent_settles_is_an_error_that_says_so(tmp_path: Path) -> None:
    body = """const { promise, resolve } = Promise.withResolvers();
    setTimeout(() => resolve("in the parent"), 150);
    const branch = async () => { await chidori.log("a"); await promise; };
    const outcome = await chidori.tryCall(() => chidori.parallel([branch]));
    return [outcome.error, await promise];"""
    error, promise = await output_and_replay(tmp_path, body)
    assert error.startswith("branch 0: the branch waits for a promise that only its parent can settle, if anyone: wait")
    assert promise == "in the parent"


async def test_a_promise_made_of_the_parents_calls_is_named_in_the_error(tmp_path: Path) -> None:
    body = """const both = Promise.all([post("a", 50), post("b", 60)]);
    const outcome = await chidori.tryCall(() => chidori.parallel([() => both]));
    return [outcome.error, (await both).length];"""
    async with OpenAIServer() as server:
        error, both = await output_and_replay(tmp_path, body, server)
        assert "`http`" in error
        assert "wait for it before `parallel`" in error
        assert both == 2


async def test_math_random_and_the_clock_of_branches_are_their_own_and_the_same_in_a_replay(tmp_path: Path) -> None:
    body = """const mine = Math.random(), began = Date.now();
    const all = await chidori.parallel([0, 1, 2].map((i) => async () => {
      const before = Date.now(); await post(`${i}`, 40 * i + 5);
      return [Math.random(), before >= began, Date.now() > before];
    }));
    const nested = await chidori.parallel([() => chidori.parallel([() => Math.random()])]);
    return { all, different: new Set([mine, Math.random(), nested[0][0], ...all.map((each: any) => each[0])]).size };"""
    async with OpenAIServer() as server:
        output = await output_and_replay(tmp_path, body, server)
    assert output["different"] == 6
    assert all(each[1:] == [True, True] for each in output["all"])


# -- ending early ----


async def test_a_signal_cancels_all_branches(tmp_path: Path) -> None:
    body = """const controller = new AbortController(); setTimeout(() => controller.abort(), 300);
    try { await chidori.parallel([() => post("a", 60000), () => post("b")], { signal: controller.signal }); }
    catch (error) { return [error.name, await post("after")]; }"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await run_body(runtime, tmp_path, body, server)
        assert output_of(result) == ["AbortError", 2]
        await within(10, server.disconnected.wait())
        errors = errors_of(runtime)
        assert (errors["2"], errors["2/b0/1"], errors["2/b1/1"]) == ("cancelled", "cancelled: outcome unknown", None)
        assert statuses_of(runtime) == {"2/b0": "cancelled", "2/b1": "completed"}
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_branches_that_nobody_waits_for_end_with_the_agent(tmp_path: Path) -> None:
    body = """chidori.parallel([() => post("never", 60000), () => post("b")]);
    await post("own", 200); return 1;"""
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        assert output_of(await run_body(runtime, tmp_path, body, server)) == 1
        await within(10, server.disconnected.wait())
        assert errors_of(runtime)["1/b0/1"] == "cancelled: outcome unknown"
        assert errors_of(runtime)["1"] == "cancelled"
        assert "running" not in statuses_of(runtime).values()
        assert output_of(await runtime.replay("test-run")) == 1


async def test_a_race_against_a_timer_is_lost_and_the_branches_end_with_the_run(tmp_path: Path) -> None:
    body = """const late = new Promise((resolve) => setTimeout(() => resolve("late"), 100));
    return Promise.race([chidori.parallel([() => post("a", 60000)]), late]);"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == "late"
        await within(10, server.disconnected.wait())


async def test_an_unawaited_note_of_a_branch_is_finished_at_its_end(tmp_path: Path) -> None:
    body = """await chidori.parallel([() => { chidori.log("not awaited"); chidori.memory("set", "k", 7); return 1; }]);
    return chidori.memory("get", "k");"""
    assert await output_and_replay(tmp_path, body) == 7


# -- what branches share ----


async def test_memory_is_shared_by_all_branches(tmp_path: Path) -> None:
    body = """await chidori.memory("set", "from", "parent");
    const all = await chidori.parallel([0, 1, 2].map((i) => async () => {
      await chidori.memory("set", `k${i}`, i); return chidori.memory("get", "from"); }));
    return [all, await chidori.memory("list")];"""
    assert await output_and_replay(tmp_path, body) == [["parent"] * 3, ["from", "k0", "k1", "k2"]]


async def test_a_secret_of_the_parent_works_in_a_branch_and_is_in_no_record(tmp_path: Path) -> None:
    body = """const before = await chidori.env("TOKEN"); const pending = chidori.env("TOKEN");
    const send = (token: string) => chidori.http(input.url, { method: "POST", body: token });
    return (await chidori.parallel([
      async () => (await send(before)).status, async () => (await send(await pending)).status,
      async () => (await send(await chidori.env("TOKEN"))).status]));"""
    async with OpenAIServer() as server, runtime_in(tmp_path, {**LOCAL, "TOKEN": "s3cret-token"}) as runtime:
        result = await run_body(runtime, tmp_path, body, server)
        assert output_of(result) == [200, 200, 200]
        assert server.counted_bodies == {"s3cret-token": 3}
        assert "s3cret" not in str(records_of(runtime.store))
        assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_no_image_of_a_fork_is_kept_once_its_branches_have_ended(tmp_path: Path) -> None:
    body = """await chidori.parallel([() => chidori.parallel([() => chidori.log("a")]), () => chidori.log("b")]);"""
    async with runtime_in(tmp_path) as runtime:
        output_of(await run_body(runtime, tmp_path, body))
        assert [payload for _, payload in runtime.store.scan("forks", b"") if len(payload) > 1000] == []


# -- stopping and going on ----


@pytest.mark.parametrize("settle", ["false", "true"])
async def test_a_run_stopped_amid_its_branches_makes_no_finished_call_again(tmp_path: Path, settle: str) -> None:
    body = f"""const all = await chidori.parallel(Array.from({{ length: 4 }}, (_, i) => async () => {{
      const first = await post(`first ${{i}}`, 5);
      const gate = await chidori.http(`${{input.url}}?delay=${{input.hold}}`,
        {{ method: "POST", body: `gate ${{i}}` }});
      return [first > 0, gate.status, await post(`last ${{i}}`) > 0]; }}), {{ settle: {settle} }});
    return all;"""
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path, image_every=2) as runtime:
            inside = asyncio.Event()
            ended: set[str] = set()

            def when_ended(path: str) -> None:
                ended.add(path)
                if ended >= {f"1/b{i}/1" for i in range(4)}:
                    inside.set()

            attendance = Attendance(RecordingObserver(when_ended=when_ended))
            url = {"url": f"{server.root}/count", "hold": 700}
            running = asyncio.create_task(start(runtime, path, url, attendance=attendance))
            await within(20, inside.wait())
            running.cancel()
            await asyncio.wait([running])
        async with runtime_in(tmp_path) as runtime:
            result = await within(20, runtime.resume("test-run"))
            assert len(output_of(result)) == 4
            for i in range(4):
                assert server.counted_bodies[f"first {i}"] == 1
                assert server.counted_bodies[f"last {i}"] == 1
            assert output_of(await runtime.replay("test-run")) == output_of(result)


async def test_a_failed_run_makes_the_failed_call_again_and_starts_cancelled_branches_again(tmp_path: Path) -> None:
    # The first prompt imports litellm, which takes seconds.
    body = """await chidori.prompt("first");
    return await chidori.parallel([
      async () => [await post("kept 0"), await post("slow")],
      async () => { await post("kept 1", 100);
        return chidori.parallel([() => post("kept 2"), async () => (await chidori.prompt("fails [delay=200]"))]); },
      () => post("done"),
    ]);"""
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    async with OpenAIServer() as server:
        environ = models(server)
        server.held_bodies.add("slow")
        server.script.append(Scripted())
        server.script.append(Scripted(status=400, message="scripted refusal"))
        async with runtime_in(tmp_path, environ) as runtime:
            result = await within(30, start(runtime, path, {"url": f"{server.root}/count"}))
            assert "branch 1: branch 1: " in failure_of(result).error["message"]
            assert "scripted refusal" in failure_of(result).error["message"]
            assert statuses_of(runtime)["2/b0"] == "cancelled"
        server.held_bodies.clear()
        async with runtime_in(tmp_path, environ) as runtime:
            result = await within(30, runtime.resume("test-run"))
            output = output_of(result)
            assert output[1][1].startswith("answer(fails")
            for body_text in ("kept 0", "kept 1", "kept 2", "done"):
                assert server.counted_bodies[body_text] == 1, body_text
            assert server.counted_bodies["slow"] == 1, "it was cut before the server counted it, then made again"
            assert server.chat_requests == 3
            assert set(errors_of(runtime).values()) == {None}
            assert output_of(await runtime.replay("test-run")) == output


async def test_a_failed_call_of_the_parent_that_ended_a_branch_is_made_again(tmp_path: Path) -> None:
    body = """const shared = chidori.prompt("shared [delay=150]");
    return chidori.parallel([async () => [await post("own"), await shared]]);"""
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    async with OpenAIServer() as server:
        environ = models(server)
        server.script.append(Scripted(status=400, message="scripted refusal"))
        async with runtime_in(tmp_path, environ) as runtime:
            result = await within(30, start(runtime, path, {"url": f"{server.root}/count"}))
            assert "scripted refusal" in failure_of(result).error["message"]
        async with runtime_in(tmp_path, environ) as runtime:
            output = output_of(await within(30, runtime.resume("test-run")))
            assert output[0][1].startswith("answer(shared")
            assert server.counted_bodies == {"own": 1}
            assert server.chat_requests == 2
            assert output_of(await runtime.replay("test-run")) == output


async def test_code_of_a_branch_that_failed_by_itself_would_fail_again(tmp_path: Path) -> None:
    body = """const fails = async () => { await chidori.log("a"); throw new Error("own"); };
    await chidori.parallel([() => chidori.parallel([fails])]);"""
    async with runtime_in(tmp_path) as runtime:
        failure_of(await run_body(runtime, tmp_path, body))
        with pytest.raises(ChidoriError, match=r"own code.*would fail again") as raised:
            await runtime.resume("test-run")
        assert "--allow-source-change" in (raised.value.hint or "")


REFUSED = Scripted(status=400, message="scripted refusal")


@pytest.mark.parametrize(
    ("body", "posts"),
    [
        (  # awaited two levels further down
            """const shared = chidori.prompt("shared [delay=200]"); shared.catch(() => {});
            const inner = async () => [await post("own"), await shared];
            return chidori.parallel([() => chidori.parallel([inner])]);""",
            {"own": 1},
        ),
        (  # the parent's call is a container itself
            """const shared = chidori.callAgent("child.ts", input); shared.catch(() => {});
            return chidori.parallel([async () => [await post("own"), await shared]]);""",
            {"own": 1, "child": 1},
        ),
        (  # thrown on by the agent, from the outcomes
            """const all = await chidori.parallel([() => post("own"), () => chidori.prompt("shared [delay=200]")],
              { settle: true });
            for (const each of all) if (each.status === "rejected") throw each.reason;
            return all.map((each: any) => each.value);""",
            {"own": 1},
        ),
        (  # as the cause of another error
            """try { return await chidori.parallel([() => post("own"), () => chidori.prompt("shared [delay=200]")]); }
            catch (error) { throw new Error("outer", { cause: error }); }""",
            {"own": 1},
        ),
    ],
)
async def test_the_call_that_ended_a_run_is_found_wherever_it_was_made(
    tmp_path: Path, body: str, posts: dict[str, int]
) -> None:
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    child = f"{AGENT}{POST}await post('child'); return chidori.prompt('shared [delay=200]');\n}}"
    (tmp_path / "child.ts").write_text(child)
    async with OpenAIServer() as server:
        server.script.append(REFUSED)
        async with runtime_in(tmp_path, models(server)) as runtime:
            failure_of(await within(30, start(runtime, path, {"url": f"{server.root}/count"})))
        async with runtime_in(tmp_path, models(server)) as runtime:
            output = output_of(await within(30, runtime.resume("test-run")))
            assert "answer(shared" in str(output)
            assert server.counted_bodies == posts
            assert server.chat_requests == 2
            assert output_of(await runtime.replay("test-run")) == output


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_branch_that_exceeded_a_bound_goes_on_under_a_wider_one(tmp_path: Path) -> None:
    body = """return chidori.parallel([() => post("a"), async () => {
      await post("b");
      const all = [];
      for (let i = 0; i < 60; i++) all.push(new Array(100_000).fill(i));
      return all.length; }]);"""
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path, bounds=Bounds(memory_bytes=16 << 20)) as runtime:
            failed = failure_of(await start(runtime, path, {"url": f"{server.root}/count"}))
            assert failed.error["message"] == "branch 1: the agent used more than 16 MB of memory"
            assert failed.error["name"] == "BoundExceeded"
        async with runtime_in(tmp_path) as runtime:
            assert output_of(await runtime.resume("test-run"))[1] == 60
        assert server.counted_bodies == {"a": 1, "b": 1}


async def test_aborting_the_wait_for_a_call_of_the_parent_leaves_the_call_alone(tmp_path: Path) -> None:
    body = """const controller = new AbortController();
    const call = chidori.http(`${input.url}?delay=400`, { method: "POST", body: "x", signal: controller.signal });
    const [name] = await chidori.parallel([async () => {
      await post("first"); controller.abort(); try { await call; } catch (error) { return error.name; } }]);
    return [name, (await call).status];"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == ["AbortError", 200]
        assert server.counted_bodies == {"first": 1, "x": 1}
        assert server.disconnects == 0


# -- what only a look at the edges shows ----


async def test_the_agent_may_fill_its_array_anew_while_the_branches_run(tmp_path: Path) -> None:
    body = """const batch = [() => 1, () => 2];
    const forked = chidori.parallel(batch); batch.length = 0; batch.push(() => 3, () => 4);
    const together = chidori.parallel(batch, { isolate: false, concurrency: 1 }); batch.length = 0;
    return [await forked, await together];"""
    assert await output_and_replay(tmp_path, body) == [[1, 2], [3, 4]]


async def test_an_agent_that_tampers_with_promises_harms_no_branch(tmp_path: Path) -> None:
    body = """Promise.prototype.then = function () { throw new Error("mine"); };
    return await chidori.parallel([async () => 1]);"""
    assert await output_and_replay(tmp_path, body) == [1]


async def test_what_the_agent_calls_in_its_last_step_is_not_begun(tmp_path: Path) -> None:
    body = """await chidori.log("first");
    chidori.log("finished"); chidori.parallel([() => post("inside")]); post("late"); return 1;"""
    async with OpenAIServer() as server:
        assert await output_and_replay(tmp_path, body, server) == 1
        assert server.counted_bodies.total() == 0


@pytest.mark.parametrize(
    "body",
    [
        "setTimeout(() => controller.abort(), 50); await all;",  # given up while branches run
        "controller.abort(); await all; await chidori.log('on');",  # in the step of the call
        "await chidori.prompt('on');",  # left by an agent that returns
    ],
)
async def test_no_image_of_a_fork_outlives_its_cancelled_call(tmp_path: Path, body: str) -> None:
    made = f"""const controller = new AbortController();
    const all = chidori.parallel([() => new Promise((resolve) => setTimeout(resolve, {HOLD_MS}))],
      {{ signal: controller.signal }}).catch((error) => error.name);"""
    async with runtime_in(tmp_path) as runtime:
        output_of(await run_body(runtime, tmp_path, f"{made}\n{body}"))
        assert [payload for _, payload in runtime.store.scan("forks", b"") if len(payload) > 1000] == []
        output_of(await runtime.replay("test-run"))


@pytest.mark.parametrize(
    "inside",
    [
        "try { return await shared; } catch (error) { await post('saw'); await post('hold', 3000); throw error; }",
        "return (await chidori.parallel([async () => { try { return await shared; } catch (error) {"
        " await post('saw'); await post('hold', 3000); throw error; } }]))[0];",
        "return await shared;",
        "return (await chidori.parallel([() => shared]))[0];",
    ],
    ids=["one level down", "two levels down", "failed with it", "failed with it two levels down"],
)
async def test_every_branch_waits_anew_for_a_call_of_the_parent_that_is_made_again(tmp_path: Path, inside: str) -> None:
    body = f"""const shared = chidori.prompt("shared [delay=150]");
    const all = chidori.parallel([0, 1].map((i) => async () => {{ await post(`first ${{i}}`); {inside} }}));
    try {{ await shared; }} catch (error) {{ await post("seen", 200); throw error; }}
    return await all;"""
    path = write_agent(tmp_path, f"{AGENT}{POST}{body}\n}}")
    async with OpenAIServer() as server:
        environ = models(server)
        server.script.append(REFUSED)
        async with runtime_in(tmp_path, environ, image_every=1) as runtime:
            result = await within(30, start(runtime, path, {"url": f"{server.root}/count"}))
            assert "scripted refusal" in failure_of(result).error["message"]
        async with runtime_in(tmp_path, environ) as runtime:
            output = output_of(await within(30, runtime.resume("test-run")))
            assert output[0] == output[1]
            assert output[0].startswith("answer(shared")
            assert server.chat_requests == 2
            assert server.counted_bodies["first 0"] == server.counted_bodies["first 1"] == 1
            assert output_of(await runtime.replay("test-run")) == output


@pytest.mark.only_local("branches that live elsewhere do not fail in one commit")
async def test_branches_that_failed_at_once_are_all_made_to_go_on_by_one_resume(tmp_path: Path) -> None:
    body = """return await chidori.parallel([0, 1, 2].map((i) => async () => {
      await post(`first ${i}`); await Promise.all([chidori.template("late.txt", { i }), chidori.log("beside")]);
      return i; }));"""
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path) as runtime:
            failure_of(await run_body(runtime, tmp_path, body, server))
            assert Counter(statuses_of(runtime).values())["failed"] > 1
        (tmp_path / "late.txt").write_text("{{ i }}", encoding="utf-8")
        async with runtime_in(tmp_path) as runtime:
            assert output_of(await within(20, runtime.resume("test-run"))) == [0, 1, 2]
            assert server.counted_bodies == {f"first {i}": 1 for i in range(3)}
            assert output_of(await runtime.replay("test-run")) == [0, 1, 2]
