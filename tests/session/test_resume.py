"""Pausing, resuming, replaying: what a run that stopped goes on with, and what it refuses to go on with."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.errors import ChidoriError, ManifestMismatch, ReplayDivergence, RunOwned
from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices
from chidori_actors.journal.images import newest_image
from chidori_actors.journal.runs import get_run, run_writes
from chidori_actors.session import actor_images
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.image import Image
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    bundle_of,
    calls_of,
    failure_of,
    functions_with,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    use_functions,
    within,
    write_agent,
)
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer
from tests.support.services import ScriptedQuestions

AGENT = "export async function agent(input: any, chidori: any) {\n"
POST = 'const post = (body: string) => chidori.http(input.url, { method: "POST", body });\n'
RUN = "test-run"


def answering(*answers: str) -> Attendance:
    return Attendance(questions=ScriptedQuestions(list(answers)))


async def test_a_question_pauses_the_run_and_another_process_goes_on(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const seen = new Map([["before", Math.random()]]);
        await chidori.log("before");
        const answer = await chidori.input("Go on?", { choices: ["yes", "no"], type: "approval" });
        await chidori.log("after");
        return { answer, before: seen.get("before"), next: Math.random() }; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        question = pause_of(result).questions[0]
        assert (question.prompt, question.choices, question.kind) == ("Go on?", ("yes", "no"), "input")
        assert result.meta.status == "paused"
        assert [entry["prompt"] for entry in result.meta.pending] == ["Go on?"]
        image, _ = newest_image(runtime.store, result.meta.lane)
        assert image is not None
        assert image.delivered == 1
    async with runtime_in(tmp_path) as runtime:
        assert pause_of(await runtime.resume(RUN)).questions[0].prompt == "Go on?"
    async with runtime_in(tmp_path) as runtime:
        observer = RecordingObserver()
        attendance = Attendance(observer, ScriptedQuestions(["yes"]))
        resumed = await runtime.resume(RUN, current=bundle_of(path), attendance=attendance)
        assert output_of(resumed)["answer"] == "yes"
        assert [ended[1] for ended in observer.of("call_ended")] == ["input", "log"], "nothing was replayed"
        records = records_of(runtime.store)
        assert [record["function"] for record in records] == ["log", "input", "log"]
        assert "reissued" not in records[1]
        assert output_of(await runtime.replay(RUN)) == output_of(resumed)


async def test_several_questions_are_open_at_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const both = Promise.all([chidori.input("first"), chidori.input("second")]);
        const timers = [];
        for (let i = 0; i < 3; i++) timers.push(await new Promise((r) => setTimeout(() => r(i), 1)));
        return [await both, timers]; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        paused = pause_of(await start(runtime, path))
        assert [question.prompt for question in paused.questions] == ["first", "second"]
        assert len(records_of(runtime.store)) == 3
    async with runtime_in(tmp_path) as runtime:
        paused = pause_of(await runtime.resume(RUN, attendance=answering("one")))
        assert [question.prompt for question in paused.questions] == ["second"]
    async with runtime_in(tmp_path) as runtime:
        resumed = await runtime.resume(RUN, attendance=answering("two"))
        assert output_of(resumed) == [["one", "two"], [0, 1, 2]]
        assert len(records_of(runtime.store)) == 5


async def test_an_answer_that_is_no_choice_is_an_error_of_the_call(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "return chidori.input('q', { choices: ['a'] }); }")
    async with runtime_in(tmp_path) as runtime:
        failed = failure_of(await start(runtime, path, attendance=answering("b")))
        assert "not among the choices" in failed.error["message"]
        assert output_of(await runtime.resume(RUN, attendance=answering("a"))) == "a"


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_a_failed_run_makes_only_the_failed_call_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    well = False

    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        if not well:
            raise HostError("away", name="ProviderError")
        return HostResult(b'"well"')

    use_functions(monkeypatch, functions_with(prompt=prompt))
    path = write_agent(
        tmp_path,
        AGENT
        + POST
        + """const one = (await post("one")).body.count;
        const all = await Promise.allSettled([post("two"), chidori.prompt("fails"), post("three")]);
        for (const item of all) if (item.status === "rejected") throw new Error("outer", { cause: item.reason });
        const values = all.map((item: any) => item.value.body?.count ?? item.value);
        return [one, values, (await post("four")).body.count]; }""",
    )
    async with OpenAIServer() as server:
        value = {"url": f"{server.root}/count"}
        async with runtime_in(tmp_path) as runtime:
            failed = await start(runtime, path, value)
            assert failure_of(failed).error["message"] == "outer"
            assert failed.meta.failed_ordinal == 3
            assert failure_of(await runtime.replay(RUN)) == failed.rest
            again = await runtime.resume(RUN)
            assert failure_of(again).error["message"] == "outer"
        well = True
        async with runtime_in(tmp_path) as runtime:
            resumed = await runtime.resume(RUN, current=bundle_of(path))
            assert output_of(resumed) == [1, [1, "well", 1], 1]
            assert output_of(await runtime.replay(RUN)) == output_of(resumed)
            assert [record["path"] for record in records_of(runtime.store)] == ["1", "2", "4", "3", "5"]
        assert server.counted_bodies == {"one": 1, "two": 1, "three": 1, "four": 1}


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_a_failed_run_makes_calls_again_that_its_end_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = False

    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        if not well:
            if call.args["text"] == "slow":
                await asyncio.sleep(60)
            raise HostError("away")
        return HostResult(orjson.dumps(call.args["text"]))

    use_functions(monkeypatch, functions_with(prompt=prompt))
    path = write_agent(tmp_path, AGENT + "return Promise.all([chidori.prompt('slow'), chidori.prompt('fails')]); }")
    async with runtime_in(tmp_path) as runtime:
        failure_of(await within(10, start(runtime, path)))
        assert sorted(str(record["error"]) for record in records_of(runtime.store)) == ["away", "cancelled"]
        well = True
        assert output_of(await within(10, runtime.resume(RUN))) == ["slow", "fails"]
        assert ["error" in record for record in records_of(runtime.store)] == [False, False]


async def test_a_run_that_its_own_code_ended_is_not_resumed_with_the_same_source(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "await chidori.log('1'); throw new Error('own'); }")
    async with runtime_in(tmp_path) as runtime:
        assert failure_of(await start(runtime, path)).call is None
        with pytest.raises(ChidoriError, match="its agent's own code") as refused:
            await runtime.resume(RUN)
        assert "--allow-source-change" in str(refused.value.hint)
        mended = write_agent(tmp_path, AGENT + "await chidori.log('1'); return 'mended'; }")
        with pytest.raises(ManifestMismatch, match="source mismatch"):
            await runtime.resume(RUN, current=bundle_of(mended))
        resumed = await runtime.resume(RUN, current=bundle_of(mended), allow_source_change=True)
        assert output_of(resumed) == "mended"
        assert len(records_of(runtime.store)) == 1
        assert output_of(await runtime.replay(RUN)) == "mended"


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_a_changed_source_takes_the_place_of_the_images_of_a_failed_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before it took an image of its own, the new source must not go on as the old one."""
    monkeypatch.setattr(actor_images, "_IMAGE_WORTH", 0)
    state = "broken"
    reached = asyncio.Event()

    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        if state == "broken":
            raise HostError("away")
        if state == "hangs":
            reached.set()
            await asyncio.sleep(60)
        return HostResult(b'"well"')

    use_functions(monkeypatch, functions_with(prompt=prompt))
    body = "await chidori.log('1'); await chidori.log('2'); const a = await chidori.prompt('p'); return [a, '%s']; }"
    path = write_agent(tmp_path, AGENT + body % "old")
    async with runtime_in(tmp_path, image_every=1) as runtime:
        failed = await start(runtime, path)
        assert failure_of(failed).call == 3
        assert newest_image(runtime.store, failed.meta.lane)[0] is not None
    state = "hangs"
    changed = bundle_of(write_agent(tmp_path, AGENT + body % "new"))
    async with runtime_in(tmp_path) as runtime:
        going_on = asyncio.create_task(runtime.resume(RUN, current=changed, allow_source_change=True))
        await within(10, reached.wait())
        going_on.cancel()
        await asyncio.wait([going_on])
    state = "well"
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(10, runtime.resume(RUN))) == ["well", "new"]


ORIGINAL = AGENT + "await chidori.log('a'); await chidori.checkpoint('b'); return chidori.input('c'); }"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            "await chidori.log('a'); await chidori.log('b'); return chidori.input('c'); }",
            "seq 2: checkpoint has `checkpoint` but agent called `log` (agent.ts:2:",
        ),
        (
            "await chidori.log('z'); await chidori.checkpoint('b'); return chidori.input('c'); }",
            'seq 1: checkpoint has `log` with `message` = "a" but agent called `log` with `message` = "z" (agent.ts:2:',
        ),
        ("await chidori.log('a'); return 1; }", "seq 2: checkpoint has `checkpoint`"),
        ("return 1; }", "seq 1: checkpoint has `log`"),
        ("await chidori.log('a'); throw new Error('early'); }", "seq 2: checkpoint has `checkpoint`"),
        ("await chidori.log('a'); await new Promise(() => {}); }", "seq 2: checkpoint has `checkpoint`"),
        (
            "try { await chidori.log('z'); } catch { return 'caught'; } }",
            'seq 1: checkpoint has `log` with `message` = "a"',
        ),
    ],
)
async def test_a_changed_agent_that_makes_other_calls_diverges(tmp_path: Path, changed: str, message: str) -> None:
    path = write_agent(tmp_path, ORIGINAL)
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, path))
        records = records_of(runtime.store)
        path = write_agent(tmp_path, AGENT + changed)
        with pytest.raises(ReplayDivergence) as diverged:
            await within(10, runtime.resume(RUN, current=bundle_of(path), allow_source_change=True))
        assert str(diverged.value).startswith("Replay divergence at ")
        assert message in str(diverged.value)
        assert records_of(runtime.store) == records
        assert get_run(runtime.store, RUN).status == "paused"
        # The recorded source was not given up for one that does not fit.
        assert output_of(await runtime.resume(RUN, attendance=answering("on"))) == "on"


async def test_a_changed_agent_may_call_more_after_its_record(tmp_path: Path) -> None:
    path = write_agent(tmp_path, ORIGINAL)
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, path))
        path = write_agent(
            tmp_path,
            AGENT
            + """await chidori.log('a'); await chidori.checkpoint('b');
            const c = await chidori.input('c'); await chidori.log('d'); return c + '!'; }""",
        )
        resumed = await runtime.resume(
            RUN, current=bundle_of(path), allow_source_change=True, attendance=answering("on")
        )
        assert output_of(resumed) == "on!"
        assert output_of(await runtime.replay(RUN)) == "on!"


async def test_only_one_process_at_a_time_resumes_a_run(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path, AGENT + "return (await chidori.http(input.url, { method: 'POST', body: 'x' })).status; }"
    )
    async with OpenAIServer(delay_ms=500) as server, runtime_in(tmp_path) as runtime:
        observer = RecordingObserver()
        started = asyncio.Event()
        observer.when_started = lambda path, call: started.set()
        running = asyncio.create_task(
            start(runtime, path, {"url": f"{server.root}/count"}, attendance=Attendance(observer))
        )
        await within(10, started.wait())
        with pytest.raises(RunOwned, match=r"run test-run is (owned by .*pid |under way)"):
            await runtime.resume(RUN)
        assert output_of(await within(10, running)) == 200
        assert server.counted_bodies == {"x": 1}


async def test_a_cancelled_run_is_resumed_and_its_post_keeps_its_key(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + POST + "await chidori.log('a'); return (await post('x?')).status; }")
    async with OpenAIServer(delay_ms=200) as server:
        async with runtime_in(tmp_path) as runtime:
            observer = RecordingObserver()
            posted = asyncio.Event()
            observer.when_started = lambda path, call: posted.set() if call.function == "http" else None
            running = asyncio.create_task(
                start(runtime, path, {"url": f"{server.root}/count"}, attendance=Attendance(observer))
            )
            await within(10, posted.wait())
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert get_run(runtime.store, RUN).status == "running"
        async with runtime_in(tmp_path) as runtime:
            assert output_of(await within(10, runtime.resume(RUN))) == 200
            http = records_of(runtime.store)[-1]
            assert http["reissued"] is True
            assert list(server.counted_keys) == [f"{RUN}:2"]


async def test_the_replay_of_a_slow_run_that_has_an_image_equals_the_run(
    tmp_path: Path,
) -> None:
    """JavaScript that overruns its deadline is repeated from a past that an image must not be ahead of."""
    path = write_agent(
        tmp_path,
        AGENT
        + """const spin = (ms: number) => {
          let x = 0; for (let i = 0; i < ms * 20000; i++) x = (x * 31 + i) | 0; return x;
        };
        const out = [];
        for (let i = 0; i < 4; i++) { await chidori.log(`turn ${i}`); if (i === 1) out.push(spin(100)); out.push(i); }
        out.push(await chidori.input("last?"));
        return out; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        pause_of(await within(20, start(runtime, path)))
    async with runtime_in(tmp_path) as runtime:
        observer = RecordingObserver()
        await within(20, runtime.replay(RUN, attendance=Attendance(observer)))
        assert len(observer.of("call_ended")) == 4
        resumed = await within(20, runtime.resume(RUN, attendance=answering("end")))
        assert output_of(resumed)[-1] == "end"
        assert output_of(await within(20, runtime.replay(RUN))) == output_of(resumed)


async def test_the_placeholder_of_a_variable_keeps_its_value_out_of_everything(tmp_path: Path) -> None:
    secret = "s3cret-value-nobody-may-see"
    path = write_agent(
        tmp_path,
        AGENT
        + """const token = await chidori.env("TOKEN");
        console.log(token);
        await chidori.http(input.url, { method: "POST", body: "x", headers: { authorization: `Bearer ${token}` } });
        await chidori.log(`used ${token}`);
        await chidori.input("wait");
        return token; }""",
    )
    environ = {**LOCAL, "TOKEN": secret}
    async with OpenAIServer() as server:
        observer = RecordingObserver()
        async with runtime_in(tmp_path, environ) as runtime:
            pause_of(await start(runtime, path, {"url": f"{server.root}/count"}, attendance=Attendance(observer)))
            image, _ = newest_image(runtime.store, get_run(runtime.store, RUN).lane)
            assert image is not None
            memory = Image.decode(image.header["golden"], image.payload, load_engine().golden_memory)
            assert b"TOKEN" in memory.pages
            assert secret.encode() not in memory.pages
            assert secret not in repr(records_of(runtime.store))
            assert secret not in repr(observer.seen)
            env = next(record for record in records_of(runtime.store) if record["function"] == "env")
            assert (env["args"], env["result"]) == ({"name": "TOKEN"}, None)
        async with runtime_in(tmp_path, environ) as runtime:
            resumed = await runtime.resume(RUN, attendance=answering("on"))
            assert output_of(resumed).startswith("chidori-env-TOKEN-")
    for file in (tmp_path / "store").rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


async def test_a_replay_without_a_revealed_variable_fails_with_its_name(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "return (await chidori.env('TOKEN', { reveal: true })).length; }")
    policy = {"CHIDORI_POLICY": '{"rules": [{"target": "env:TOKEN", "decision": "always_allow"}]}'}
    async with runtime_in(tmp_path, {**policy, "TOKEN": "12345678"}) as runtime:
        assert output_of(await start(runtime, path)) == 8
        assert records_of(runtime.store)[0]["result"] is None
    async with runtime_in(tmp_path, policy) as runtime:
        with pytest.raises(ChidoriError, match="TOKEN is not set") as refused:
            await runtime.replay(RUN)
        assert refused.value.hint


def policy_of(*rules: dict[str, Any]) -> dict[str, str]:
    return {**LOCAL, "CHIDORI_POLICY": orjson.dumps({"rules": list(rules)}).decode()}


async def test_a_denied_call_throws_and_is_recorded(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT + "try { await chidori.http('http://127.0.0.1/'); } catch (e) { return [e.name, e.message]; } }",
    )
    environ = policy_of({"target": "http", "decision": "never_allow", "reason": "no network"})
    async with runtime_in(tmp_path, environ) as runtime:
        assert output_of(await start(runtime, path)) == ["PolicyError", "policy: `http` denied (no network)"]
        assert records_of(runtime.store)[0]["error"] == "policy: `http` denied (no network)"


TWO_POSTS = AGENT + POST + "const t = await Promise.all([post('a'), post('b')]); return t.map((r: any) => r.status); }"
ASKING = policy_of({"target": "http", "decision": "ask_before", "reason": "careful"})


@pytest.mark.parametrize(
    ("answers", "sent"), [(["yes", "yes"], ["a", "b"]), (["no", "yes"], ["b"]), (["no", "no"], [])]
)
async def test_a_call_that_must_be_asked_for(tmp_path: Path, answers: list[str], sent: list[str]) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + POST
        + """const t = await Promise.allSettled([post("a"), post("b")]);
        return t.map((r: any) => r.value?.status ?? r.reason.message); }""",
    )
    async with OpenAIServer() as server, runtime_in(tmp_path, ASKING) as runtime:
        result = await start(runtime, path, {"url": f"{server.root}/count"}, attendance=answering(*answers))
        refused = "policy: `http` denied (not approved: careful)"
        assert output_of(result) == [200 if answer == "yes" else refused for answer in answers]
        assert sorted(server.counted_bodies) == sent


async def test_an_approval_for_all_covers_the_run(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + POST + "await post('a'); await post('b'); return (await post('a')).status; }")
    questions = ScriptedQuestions(["all"])
    async with OpenAIServer() as server, runtime_in(tmp_path, ASKING) as runtime:
        result = await start(runtime, path, {"url": f"{server.root}/count"}, attendance=Attendance(questions=questions))
        assert output_of(result) == 200
        assert len(questions.asked) == 1
        assert (questions.asked[0].kind, questions.asked[0].target) == ("approval", "http")


async def test_an_approval_covers_the_same_args_only(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + POST + "await post('a'); await post('a'); return (await post('b')).status; }")
    questions = ScriptedQuestions(["yes", "yes"])
    async with OpenAIServer() as server, runtime_in(tmp_path, ASKING) as runtime:
        result = await start(runtime, path, {"url": f"{server.root}/count"}, attendance=Attendance(questions=questions))
        assert output_of(result) == 200
        assert [question.args and question.args["body"] for question in questions.asked] == ["a", "b"]


async def test_a_run_waits_for_its_approval_and_goes_on_after_it(tmp_path: Path) -> None:
    path = write_agent(tmp_path, TWO_POSTS)
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path, ASKING) as runtime:
            result = await start(runtime, path, {"url": f"{server.root}/count"})
            assert pause_of(result).status == "awaitingapproval"
            assert result.meta.status == "awaitingapproval"
            assert server.counted_bodies == {}
        async with runtime_in(tmp_path, ASKING) as runtime:
            result = await runtime.resume(RUN, attendance=answering("yes"))
            assert len(pause_of(result).questions) == 1
            assert server.counted_bodies.total() == 1
        async with runtime_in(tmp_path, ASKING) as runtime:
            assert output_of(await runtime.resume(RUN, attendance=answering("yes"))) == [200, 200]
            assert server.counted_bodies == {"a": 1, "b": 1}
            assert all("reissued" not in record for record in records_of(runtime.store))


async def test_memory_is_shared_by_the_runs_of_a_store(tmp_path: Path) -> None:
    path = write_agent(
        tmp_path,
        AGENT
        + """const n = ((await chidori.memory("get", "n")) ?? 0) + 1;
        await chidori.memory("set", "n", n); return n; }""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert [output_of(await start(runtime, path, run_id=f"run-{i}")) for i in (1, 2, 3)] == [1, 2, 3]
        assert output_of(await runtime.replay("run-1")) == 1
        assert len(calls_of(runtime.store, "run-1")) == 2


class HoldFirst:
    """Answers every request but the first, which waits until its client is gone."""

    def __init__(self) -> None:
        self.held = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        if not self.held.is_set():
            self.held.set()
            await asyncio.Event().wait()
        return web.json_response({})


async def interrupt_post(folder: Path, environ: dict[str, str], path: Path, world: HoldFirst, url: str) -> None:
    """Run the agent at ``path`` and stop it while its POST is under way."""
    async with runtime_in(folder, environ) as runtime:
        running = asyncio.create_task(start(runtime, path, {"url": url}))
        await within(10, world.held.wait())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.parametrize(("answer", "sent"), [("again", 2), ("fail", 1), (None, 1)])
async def test_a_post_in_doubt_is_made_again_only_if_a_person_says_so(
    tmp_path: Path, answer: str | None, sent: int
) -> None:
    path = write_agent(
        tmp_path,
        AGENT + POST + "const t = await chidori.tryCall(() => post('x')); return t.ok || t.error; }",
    )
    environ = policy_of({"target": "http", "decision": "always_allow", "in_doubt": "ask"})
    world = HoldFirst()
    async with serve(world.handle) as server:
        await interrupt_post(tmp_path, environ, path, world, server.url)
        async with runtime_in(tmp_path, environ) as runtime:
            result = await within(10, runtime.resume(RUN, attendance=answering(*([answer] if answer else []))))
            if answer is None:
                question = pause_of(result).questions[0]
                assert (question.kind, question.choices) == ("in_doubt", ("again", "fail"))
            elif answer == "fail":
                assert "the outcome is unknown" in output_of(result)
            else:
                assert output_of(result) is True
        assert [request.headers["idempotency-key"] for request in server.received] == [f"{RUN}:1"] * sent


async def test_a_paused_doubt_is_still_a_doubt_when_it_is_answered(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + POST + "return (await post('x')).status; }")
    environ = policy_of({"target": "http", "decision": "always_allow", "in_doubt": "ask"})
    world = HoldFirst()
    async with serve(world.handle) as server:
        await interrupt_post(tmp_path, environ, path, world, server.url)
        for _ in range(2):
            async with runtime_in(tmp_path, environ) as runtime:
                result = await within(10, runtime.resume(RUN))
                assert pause_of(result).questions[0].kind == "in_doubt"
                assert len(server.received) == 1
        async with runtime_in(tmp_path, environ) as runtime:
            assert output_of(await within(10, runtime.resume(RUN, attendance=answering("again")))) == 200
            assert records_of(runtime.store)[-1]["reissued"] is True


async def test_an_approved_post_that_a_crash_interrupts_is_in_doubt(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + POST + "return (await post('x')).status; }")
    environ = policy_of({"target": "http", "decision": "ask_before", "in_doubt": "ask"})
    world = HoldFirst()
    async with serve(world.handle) as server:
        async with runtime_in(tmp_path, environ) as runtime:
            paused = await start(runtime, path, {"url": server.url})
            assert pause_of(paused).questions[0].kind == "approval"
        async with runtime_in(tmp_path, environ) as runtime:
            running = asyncio.create_task(runtime.resume(RUN, attendance=answering("yes")))
            await within(10, world.held.wait())
            running.cancel()
            await asyncio.wait([running])
        async with runtime_in(tmp_path, environ) as runtime:
            assert pause_of(await within(10, runtime.resume(RUN))).questions[0].kind == "in_doubt"
        assert len(server.received) == 1


async def test_what_settled_after_the_agents_end_is_not_made_again(tmp_path: Path) -> None:
    """A crash between the last settlement and the end of the run: the agent ends again, and nothing is sent."""
    path = write_agent(
        tmp_path,
        AGENT + POST + "post('not awaited'); await post('awaited'); chidori.log('not awaited'); return 'end'; }",
    )
    async with serve(answer) as server, runtime_in(tmp_path) as runtime:
        first = await start(runtime, path, {"url": server.url})
        assert output_of(first) == "end"
        sent = len(server.received)
        calls, records = calls_of(runtime.store), records_of(runtime.store)
        assert any(record["function"] == "log" for record in records)
        # As if the process had died before it could write how the run ended.
        await runtime.store.commit(run_writes(replace(first.meta, status="running", output=None), new=False))
        resumed = await within(10, runtime.resume(RUN))
        assert output_of(resumed) == "end"
        assert len(server.received) == sent
        assert calls_of(runtime.store) == calls
        assert [record["path"] for record in records_of(runtime.store)] == [record["path"] for record in records]


async def answer(request: web.Request) -> web.Response:
    return web.json_response({})
