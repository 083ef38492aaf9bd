"""What an agent may use: each bound ends or fails what exceeds it, with an error that names it, and nothing else."""

import asyncio
import re
from pathlib import Path

import pytest

from chidori_actors.session import live_actors
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.machine import Bounds, Machine, Said
from tests.support.agents import failure_of, output_of, pause_of, records_of, runtime_in, start, within, write_agent
from tests.support.services import ScriptedQuestions

SMALL = Bounds(memory_bytes=32 << 20, step_seconds=0.5)
MOST_CALLS = 10_000

TIME = "ran for 0.5 s without waiting"
MEMORY = "32 MB of memory|out of memory|ran for 0.5 s without waiting"
STACK = "nested too deep"


def agent(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{ {body} }}"


BOMBS = {
    "loop": ("for (;;) {}", TIME),
    "microtasks": ("const next = (): any => Promise.resolve().then(next); await next();", TIME),
    "await": ("while (true) await null;", TIME),
    "getter": ("return { get a() { for (;;) {} } };", TIME),
    "trap": ("return new Proxy({}, { ownKeys() { for (;;) {} } });", TIME),
    "trap in a call": ("await chidori.log('x', new Proxy({}, { ownKeys() { for (;;) {} } }));", TIME),
    "error": ("throw Object.defineProperty(new Error('x'), 'message', { get() { for (;;) {} } });", TIME),
    "regular expression": ("return /^(a+)+$/.test('a'.repeat(40) + 'b');", TIME),
    "after a call": ("await chidori.log('x'); for (;;) {}", TIME),
    "timer": ("await new Promise(() => setTimeout(() => { for (;;) {} }, 1));", TIME),
    "interval": ("await new Promise(() => setInterval(() => { for (;;) {} }, 1));", TIME),
    "arrays": ("const a: any[] = []; for (;;) a.push(new Array(1000).fill(a.length));", MEMORY),
    "strings": ("const a: any[] = []; for (let i = 0; ; i++) a.push('x'.repeat(1e6) + i);", MEMORY),
    "doubling": ("let s = 'x'; for (;;) s += s;", "string too long|" + MEMORY),
    "buffers": ("const a: any[] = []; for (;;) a.push(new ArrayBuffer(1 << 22));", MEMORY),
    "typed array": ("return new Float64Array(2 ** 24).fill(1).length;", MEMORY),
    "map": ("const m = new Map(); for (let i = 0; ; i++) m.set(i, new Array(100).fill(i));", MEMORY),
    "closures": ("let f: any = () => 1; for (;;) { const g = f; f = () => g; }", MEMORY),
    "promises": ("let p: any = Promise.resolve(); for (;;) p = p.then(() => 1);", MEMORY),
    "caught": ("const a: any[] = []; for (;;) { try { a.push('x'.repeat(1e6) + a.length); } catch {} }", MEMORY),
    "fill": ("const a: any[] = []; a.length = 4294967295; return a.fill(0).length;", MEMORY),
    "recursion": ("const f = (n: number): any => f(n + 1) + 1; return f(0);", STACK),
    "generators": ("function* g(): any { yield* g(); } for (const x of g()) {}", STACK),
    "parse": ("return JSON.parse('['.repeat(2e6));", f"{STACK}|{MEMORY}"),
    "result": ("let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; return a;", "nested more than 200 deep"),
    "output": ("return 'x'.repeat(100e6);", MEMORY),
    "thrown": ("throw new Error('x'.repeat(100e6));", MEMORY),
    "logged": ("await chidori.log('x'.repeat(100e6));", MEMORY),
    "kept": ("await chidori.memory('set', 'k', 'x'.repeat(100e6));", MEMORY),
    "printed": ("console.log('x'.repeat(100e6));", MEMORY),
    "lines": ("for (let i = 0; ; i++) console.log('line', i);", MEMORY),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_bomb_ends_its_own_run_and_no_other(name: str, tmp_path: Path) -> None:
    body, bound = BOMBS[name]
    bomb = write_agent(tmp_path, agent(body), "bomb.ts")
    other = write_agent(
        tmp_path,
        agent("let n = 0; for (let i = 0; i < 20; i++) { await chidori.log(`${i}`); n += i; } return n;"),
        "other.ts",
    )
    async with runtime_in(tmp_path, bounds=SMALL) as runtime:
        failing = asyncio.create_task(start(runtime, bomb, run_id="bomb"))
        for number in range(3):
            assert output_of(await within(30, start(runtime, other, run_id=f"other-{number}"))) == 190
        failed = failure_of(await within(30, failing))
        assert re.search(bound, failed.error["message"]), failed.error["message"][-300:]
        for number in range(3):
            assert len(records_of(runtime.store, f"other-{number}")) == 20


@pytest.mark.parametrize(
    ("source", "bound"),
    [("for (;;) {}", TIME), ("const a: any[] = []; for (;;) a.push(new Array(1000).fill(0));", MEMORY)],
)
@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_what_stands_outside_of_functions_is_bounded_too(source: str, bound: str, tmp_path: Path) -> None:
    path = write_agent(tmp_path, f"{source}\n{agent('return 1;')}")
    async with runtime_in(tmp_path, bounds=SMALL) as runtime:
        failed = failure_of(await within(30, start(runtime, path)))
    assert re.search(bound, failed.error["message"])


@pytest.mark.parametrize(
    ("body", "bound"),
    [
        ("return [x for x in range(1000000000)]", MEMORY),
        ("def f(): return f()\n    return f()", "call stack overflow"),
        ("x = 'a'\n    for i in range(60):\n        x = x + x\n    return len(x)", "too long|" + MEMORY),
        ("n = 7\n    for i in range(40):\n        n = n * n\n    return n", "too large|" + MEMORY),
        ("x = []\n    for i in range(100):\n        x = x + x + [1]\n    return 1", MEMORY),
    ],
)
@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_starlark_has_the_same_bounds(body: str, bound: str, tmp_path: Path) -> None:
    path = write_agent(tmp_path, f"def agent():\n    {body}\n", "agent.star")
    async with runtime_in(tmp_path, bounds=SMALL) as runtime:
        failed = failure_of(await within(30, start(runtime, path)))
    assert re.search(bound, failed.error["message"])


@pytest.mark.parametrize(
    ("making", "waits"),
    [
        ("chidori.prompt(`${i}`)", "waits for 10000 host calls"),
        ("new Promise((done) => { setTimeout(done, 1e6); })", "waits for 10000 host calls"),
        (
            "aborted()",
            "made 10000 host calls without waiting",
        ),
    ],
)
async def test_calls_beyond_the_bound_are_errors_that_the_agent_can_catch(
    making: str, waits: str, tmp_path: Path
) -> None:
    path = write_agent(
        tmp_path,
        agent(
            f"""const seen = new Map<string, number>();
            const note = (e: any) => {{
              const text = `${{e.name}}: ${{e.message}}`;
              seen.set(text, (seen.get(text) ?? 0) + 1);
            }};
            const aborted = () => {{
              const given = new AbortController(), call = chidori.prompt("x", {{ signal: given.signal }});
              given.abort();
              return call;
            }};
            for (let i = 0; i < 10_050; i++) {{
              try {{ ({making}).catch(note); }} catch (error) {{ note(error); }}
            }}
            await null; await null; await null;
            return [...seen].filter(([text]) => text.startsWith("RangeError"));"""
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        first = output_of(await within(60, start(runtime, path)))
        [(message, count)] = first
        assert waits in message
        assert "await some of them first" in message
        assert count == 50
        assert len(records_of(runtime.store)) == MOST_CALLS
        assert output_of(await within(60, runtime.replay("test-run"))) == first


async def test_a_loop_of_calls_that_nobody_awaits_ends_where_it_stands(tmp_path: Path) -> None:
    path = write_agent(tmp_path, agent("for (let i = 0; i < 1e6; i++) chidori.log(`${i}`);"))
    async with runtime_in(tmp_path) as runtime:
        error = failure_of(await within(60, start(runtime, path))).error
        assert error["name"] == "RangeError"
        assert "may not make more" in error["message"]
        assert error["location"].startswith("agent.ts:")
        assert len(records_of(runtime.store)) == MOST_CALLS


async def test_calls_that_are_awaited_are_not_counted(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        agent(
            """let n = 0;
            const many = () => Promise.all(Array.from({ length: 3000 }, () => chidori.log("x")));
            for (let i = 0; i < 4; i++) n += (await many()).length;
            return n;"""
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(60, start(runtime, path))) == 12_000


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_more_actors_than_fit_are_refused_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_actors, "MOST_ACTORS", 20)
    wide = "const thunks = Array.from({ length: input.width }, (_, i) => () => chidori.log(`${i}`));"
    path = write_agent(
        tmp_path,
        agent(f"{wide} return (await chidori.parallel(thunks, input.concurrency ? input : undefined)).length;").replace(
            "input : undefined", "{ concurrency: input.concurrency } : undefined"
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path, {"width": 19}, run_id="fits")) == 19
        assert output_of(await start(runtime, path, {"width": 60, "concurrency": 10}, run_id="batched")) == 60
        failed = failure_of(await start(runtime, path, {"width": 20}, run_id="wide"))
        assert failed.error["name"] == "RangeError"
        assert failed.error["message"] == (
            "parallel: with 20 more, over 20 actors of this run would be alive at once (now: 1); "
            "give a smaller `concurrency`"
        )
        assert failed.error["location"]
        assert len(records_of(runtime.store, "wide")) == 1


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_actors_that_were_there_before_a_pause_have_room_whatever_the_bound_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = "[1, 2, 3].map((i) => async () => chidori.input(`${i}?`))"
    path = write_agent(tmp_path, agent(f"return chidori.parallel({asking});"))
    async with runtime_in(tmp_path) as runtime:
        assert len(pause_of(await start(runtime, path)).questions) == 3
    monkeypatch.setattr(live_actors, "MOST_ACTORS", 2)
    async with runtime_in(tmp_path) as runtime:
        answers = Attendance(questions=ScriptedQuestions(["a", "b", "c"]))
        # Which of them asks first is not settled: they may be on different hosts.
        assert sorted(output_of(await runtime.resume("test-run", attendance=answers))) == ["a", "b", "c"]


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_agents_that_call_themselves_twice_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_actors, "MOST_ACTORS", 60)
    path = write_agent(
        tmp_path,
        agent(
            """const both = await Promise.allSettled([chidori.callAgent("agent.ts"), chidori.callAgent("agent.ts")]);
            return both.flatMap((one: any) => one.status === "fulfilled" ? one.value : [one.reason.message]);"""
        ),
    )
    async with runtime_in(tmp_path) as runtime:
        messages = output_of(await within(60, start(runtime, path)))
        assert messages
        assert all("over 60 actors of this run" in message or "32 actors deep" in message for message in messages)
        assert output_of(await within(60, runtime.replay("test-run"))) == messages


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"call\t2\t0\tlog\t{}\t", "its call 2 of `log` is none that an agent can make after 0"),
        (b"call\t1\t0\tformat_disk\t{}\t", "its call 1 of `format_disk` is none"),
        (b"call\t1\t0\tlog\t5\t", "the arguments of its call 1 of `log` are no JSON object"),
        (b"call\t1\t0\tlog\t{\t", "the arguments of its call 1 of `log` are no JSON object"),
        (b"done", "said what no agent can say"),
    ],
)
@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_a_forged_call_ends_the_run_with_a_clear_error(
    line: bytes, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = Machine._parse

    def forged(self: Machine, text: bytes) -> list[Said]:
        return parse(self, (b"nonsense" if line == b"done" else line) + b"\n" + text)

    path = write_agent(tmp_path, agent("await chidori.log('x'); return 1;"))
    async with runtime_in(tmp_path) as runtime:
        monkeypatch.setattr(Machine, "_parse", forged)
        failed = failure_of(await within(20, start(runtime, path)))
        assert what in failed.error["message"]
        assert failed.error["name"] == "BoundExceeded"
        assert records_of(runtime.store) == []
