"""Questions inside of branches, tools and sub-agents: the run pauses as a whole, and goes on from its images."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.host.function import Question, Unanswered
from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.images import newest_image
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.origins import Fork, Program
from tests.cli.pseudo_terminal import terminal
from tests.support.agents import (
    LOCAL,
    RecordingObserver,
    bundle_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.openai_server import OpenAIServer

RUN = "test-run"
POST = 'const post = async (b: string) => (await chidori.http(input.url, { method: "POST", body: b })).body.count;\n'


def agent(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{\n{body}\n}}"


def project(folder: Path, body: str, **others: str) -> Path:
    """An agent, with further files by their paths (``__`` for ``/``)."""
    for name, source in others.items():
        file = folder / f"{name.replace('__', '/')}.ts"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return write_agent(folder, agent(POST + body))


def tool(name: str, body: str) -> str:
    return (
        f'export const tool = {{ name: "{name}", description: "d", parameters: {{ type: "object" }} }};\n'
        f"export async function run(args: any, chidori: any) {{\n{body}\n}}"
    )


class Knows:
    """Answers the questions with these prompts, and no other."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def ask(self, question: Question) -> str:
        self.asked.append(question.prompt)
        if question.prompt not in self.answers:
            raise Unanswered(question)
        return self.answers[question.prompt]


def prompts_of(result: RunResult) -> list[str]:
    return [question.prompt for question in pause_of(result).questions]


async def resumed(folder: Path, agent_file: Path, **answers: str) -> RunResult:
    """Go on in a runtime of its own, with these answers."""
    async with runtime_in(folder) as runtime:
        attendance = Attendance(questions=Knows(**answers))
        current = bundle_of(agent_file)
        result: RunResult = await within(30, runtime.resume(RUN, current=current, attendance=attendance))
        return result


THREE_LEVELS = {
    "lib__child": agent("return chidori.parallel([() => chidori.tool('ask', { name: input.name }), () => 'other']);"),
    "tools__ask": tool(
        "ask", "return [args.name, await chidori.input(args.name), await chidori.input(args.name + 2)];"
    ),
}


@pytest.mark.parametrize(
    ("body", "files", "path"),
    [
        ("return [await chidori.parallel([() => chidori.input('q')])];", {}, "1/b0/1"),
        ("return chidori.callAgent('child.ts');", {"child": agent("return chidori.input('q');")}, "1/1"),
        ("return chidori.tool('t');", {"tools__t": tool("t", "return chidori.input('q');")}, "1/1"),
        (
            """return chidori.parallel([() => 1, () => chidori.callAgent("child.ts")]);""",
            {
                "child": agent("await chidori.log('x'); return chidori.parallel([() => chidori.tool('t')]);"),
                "tools__t": tool("t", "return chidori.input('q');"),
            },
            "1/b1/1/2/b0/1/1",
        ),
    ],
)
async def test_a_question_anywhere_pauses_the_run_and_its_answer_lets_it_go_on(
    tmp_path: Path, body: str, files: dict[str, str], path: str
) -> None:
    main = project(tmp_path, body, **files)
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, main)
        assert result.meta.status == "paused"
        [pending] = result.meta.pending
        assert (pending["prompt"], pending["path"], pending["kind"]) == ("q", path, "input")
        assert get_run(runtime.store, RUN).pending == result.meta.pending
    assert prompts_of(await resumed(tmp_path, main)) == ["q"], "nobody answered"
    result = await resumed(tmp_path, main, q="an answer")
    assert "an answer" in str(output_of(result))
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await runtime.replay(RUN)) == output_of(result)
        record = next(record for record in records_of(runtime.store) if record["path"] == path)
        assert record["result"] == "an answer"
        assert "reissued" not in record


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
async def test_several_questions_are_answered_in_any_order_each_by_a_process_of_its_own(
    tmp_path: Path, order: list[str]
) -> None:
    main = project(
        tmp_path,
        """return chidori.parallel([
          async () => [await chidori.input("a"), await post("after a")],
          async () => [await post("before b"), await chidori.callAgent("child.ts"), await post("after b")],
          async () => [await chidori.tool("t"), await post("after c")],
          async () => post("free"),
        ]);""",
        child=agent("return chidori.input('b');"),
        tools__t=tool("t", "return chidori.input('c');"),
    )
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path) as runtime:
            result = await start(runtime, main, {"url": f"{server.root}/count"})
            assert sorted(prompts_of(result)) == ["a", "b", "c"]
            seqs = [pending["seq"] for pending in result.meta.pending]
            assert seqs == sorted(seqs)
        assert server.counted_bodies == {"before b": 1, "free": 1}, "the rest went on meanwhile"
        for number, name in enumerate(order, start=1):
            result = await resumed(tmp_path, main, **{name: f"answer {name}"})
            if number < len(order):
                assert sorted(prompts_of(result)) == sorted(order[number:])
                assert server.counted_bodies[f"after {name}"] == 1
        assert output_of(result) == [["answer a", 1], [1, "answer b", 1], ["answer c", 1], 1]
        assert all(times == 1 for times in server.counted_bodies.values())


async def test_two_questions_one_after_the_other_three_levels_deep(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """return chidori.parallel(["x", "y"].map((name) => () => chidori.callAgent("lib/child.ts", { name })));""",
        **THREE_LEVELS,
    )
    async with runtime_in(tmp_path) as runtime:
        assert sorted(prompts_of(await start(runtime, main))) == ["x", "y"]
    assert sorted(prompts_of(await resumed(tmp_path, main, y="Y"))) == ["x", "y2"]
    assert sorted(prompts_of(await resumed(tmp_path, main, y2="Y2"))) == ["x"]
    result = await resumed(tmp_path, main, x="X", x2="X2")
    assert output_of(result) == [[["x", "X", "X2"], "other"], [["y", "Y", "Y2"], "other"]]


@pytest.mark.only_local("what the test replaces or watches stays in its process", also="hosts")
async def test_a_paused_run_has_an_image_of_every_actor_and_its_resume_replays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = project(
        tmp_path,
        """await chidori.log("1"); const late = chidori.input("late"); late.then(() => chidori.log("parent's"));
        return chidori.parallel([
          async () => { await chidori.log("2"); return [await chidori.callAgent("child.ts"), await late]; },
          async () => { await chidori.log("3"); return late; }]);""",
        child=agent("await chidori.log('4'); return [await chidori.input('q'), await chidori.input('r')];"),
    )
    begun: list[str] = []
    for origin in (Fork, Program):
        original = origin.begin

        def counted(self: Any, *args: Any, original: Any = original, **more: Any) -> Any:
            begun.append(type(self).__name__)
            return original(self, *args, **more)

        monkeypatch.setattr(origin, "begin", counted)
    async with runtime_in(tmp_path) as runtime:
        assert sorted(prompts_of(await start(runtime, main))) == ["late", "q"]
        meta = get_run(runtime.store, RUN)
        actors = {actor.path: actor for actor in run_actors(runtime.store, meta.lane)}
        assert actors.keys() == {"3/b0", "3/b0/2", "3/b1"}
        assert {actor.status for actor in actors.values()} == {"running"}
        for lane in (meta.lane, *(actor.lane for actor in actors.values())):
            image, rejected = newest_image(runtime.store, lane)
            assert image is not None
            assert image.delivered == 1
            assert rejected == []
    assert sorted(begun) == ["Fork", "Fork", "Program", "Program"]
    begun.clear()
    for answers in ({"q": "Q"}, {"r": "R"}, {"late": "L"}):
        observer = RecordingObserver()
        async with runtime_in(tmp_path) as runtime:
            attendance = Attendance(observer, Knows(**answers))
            result = await runtime.resume(RUN, current=bundle_of(main), attendance=attendance)
            assert not [ended for ended in observer.of("call_ended") if ended[3]], "nothing was replayed"
            assert observer.of("warned") == []
    assert begun == []
    assert output_of(result) == [[["Q", "R"], "L"], "L"]


async def test_branches_that_wait_for_a_question_of_the_parent_pause_with_it(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """const answer = chidori.input("q");
        return chidori.parallel([async () => (await answer) + 1,
          async () => (await chidori.parallel([async () => (await answer) + 2]))[0]]);""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert prompts_of(await start(runtime, main)) == ["q"]
    result = await resumed(tmp_path, main, q="A")
    assert output_of(result) == ["A1", "A2"]
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await runtime.replay(RUN)) == ["A1", "A2"]


async def test_with_a_limit_questions_hold_up_what_waits_for_its_turn(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """return chidori.parallel(["a", "b", "c"].map((name) => () => chidori.input(name)), { concurrency: 2 });""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert sorted(prompts_of(await start(runtime, main))) == ["a", "b"]
    assert sorted(prompts_of(await resumed(tmp_path, main, b="B"))) == ["a", "c"]
    assert output_of(await resumed(tmp_path, main, a="A", c="C")) == ["A", "B", "C"]


async def test_a_failing_branch_withdraws_the_question_of_another(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """return [await chidori.tryCall(() => chidori.parallel([() => chidori.input("open"),
          async () => { await chidori.input("fails"); throw new Error("no"); }])), await chidori.input("next")];""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert sorted(prompts_of(await start(runtime, main))) == ["fails", "open"]
    assert prompts_of(await resumed(tmp_path, main, fails="x")) == ["next"]
    assert output_of(await resumed(tmp_path, main, next="on")) == [{"ok": False, "error": "branch 1: no"}, "on"]


async def test_an_aborted_question_in_a_branch_is_open_no_more(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """const controller = new AbortController(); setTimeout(() => controller.abort(), 50);
        const asked = chidori.parallel([() => chidori.input("inside")], { signal: controller.signal });
        return [(await chidori.tryCall(() => asked)).ok, await chidori.input("outside")];""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert prompts_of(await start(runtime, main)) == ["outside"]
    assert output_of(await resumed(tmp_path, main, outside="on")) == [False, "on"]


async def test_a_question_of_a_branch_that_nobody_waits_for_does_not_hold_the_agent_up(tmp_path: Path) -> None:
    main = project(tmp_path, 'chidori.parallel([() => chidori.input("q")]); await chidori.log("own"); return 1;')
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, main)) == 1
        errors = {record["path"]: record.get("error") for record in records_of(runtime.store)}
        assert errors == {"1/b0/1": "cancelled", "1": "cancelled", "2": None}
        assert output_of(await runtime.replay(RUN)) == 1


async def test_a_question_beside_a_flow_that_only_waits_for_a_timer_is_asked_at_once(tmp_path: Path) -> None:
    main = project(
        tmp_path,
        """const slept = new Promise((resolve) => setTimeout(() => resolve("slept"), 100));
        return [await chidori.parallel([() => chidori.input("q")]), await slept];""",
    )
    async with runtime_in(tmp_path) as runtime:
        assert prompts_of(await start(runtime, main)) == ["q"]
        assert [record["function"] for record in records_of(runtime.store)] == ["timer"]
    assert output_of(await resumed(tmp_path, main, q="A")) == [["A"], "slept"]


async def test_an_approval_in_a_branch_of_a_sub_agent_of_a_branch(tmp_path: Path) -> None:
    policy = {"rules": [{"target": "http", "decision": "ask_before", "reason": "it costs"}], "default": "always_allow"}
    environ = {**LOCAL, "CHIDORI_POLICY": orjson.dumps(policy).decode()}
    main = project(
        tmp_path,
        """return chidori.parallel([() => chidori.callAgent("child.ts", { ...input })]);""",
        child=agent(POST + "return chidori.parallel([() => post('one'), () => post('two')]);"),
    )
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path, environ) as runtime:
            result = await start(runtime, main, {"url": f"{server.root}/count"})
            assert pause_of(result).status == "awaitingapproval"
            # Which of two branches asks first is not settled: they may be on different hosts.
            questions = sorted(pause_of(result).questions, key=lambda question: question.path)
            assert [question.path for question in questions] == ["1/b0/1/1/b0/1", "1/b0/1/1/b1/1"]
            assert [question.args["body"] for question in questions if question.args] == ["one", "two"]
        assert server.counted_bodies == {}

        class OnlyTwo:
            async def ask(self, question: Question) -> str:
                if question.args is None or question.args["body"] != "two":
                    raise Unanswered(question)
                return "yes"

        async with runtime_in(tmp_path, environ) as runtime:
            result = await runtime.resume(RUN, attendance=Attendance(questions=OnlyTwo()))
            assert [question.path for question in pause_of(result).questions] == ["1/b0/1/1/b0/1"]
            assert server.counted_bodies == {"two": 1}
        async with runtime_in(tmp_path, environ) as runtime:
            answers = Knows(**{"Allow `http`: it costs?": "yes"})
            result = await runtime.resume(RUN, attendance=Attendance(questions=answers))
            assert output_of(result) == [[1, 1]]
            assert output_of(await runtime.replay(RUN)) == [[1, 1]]
        assert server.counted_bodies == {"one": 1, "two": 1}


async def test_a_call_in_doubt_inside_of_a_branch_is_asked_about(tmp_path: Path) -> None:
    policy = {"rules": [{"target": "http", "decision": "always_allow", "in_doubt": "ask"}], "default": "always_allow"}
    environ = {**LOCAL, "CHIDORI_POLICY": orjson.dumps(policy).decode()}
    main = project(
        tmp_path,
        """return chidori.parallel([() => post("a"), () => chidori.callAgent("c.ts", input)]);""",
        c=agent(POST + "return post('b');"),
    )
    async with OpenAIServer(delay_ms=400) as server:
        async with runtime_in(tmp_path, environ) as runtime:
            value = {"url": f"{server.root}/count"}
            running = asyncio.create_task(start(runtime, main, value))
            await within(20, server.until_in_flight(2))
            running.cancel()
            await asyncio.wait([running])
        async with runtime_in(tmp_path, environ) as runtime:
            paused = pause_of(await runtime.resume(RUN))
            assert {question.kind for question in paused.questions} == {"in_doubt"}
            assert [question.path for question in paused.questions] == ["1/b0/1", "1/b1/1/1"]
            text = paused.questions[0].prompt
        async with runtime_in(tmp_path, environ) as runtime:
            result = await runtime.resume(RUN, attendance=Attendance(questions=Knows(**{text: "again"})))
            assert output_of(result) == [1, 1]


def test_a_terminal_answers_questions_of_two_branches(tmp_path: Path) -> None:
    project(
        tmp_path,
        """return chidori.parallel([() => chidori.input("First?"), () => chidori.callAgent("child.ts")]);""",
        child=agent("return chidori.input('Second?', { choices: ['yes', 'no'] });"),
    )
    with terminal(tmp_path, "run", "agent.ts") as tty:
        tty.read_until("First?")
        tty.type("one\n")
        tty.read_until("Second?")
        tty.type("perhaps\n")
        tty.read_until("not among the choices")
        tty.type("yes\n")
        assert tty.wait() == 0
        assert '"one"' in tty.shown
        assert '"yes"' in tty.shown
