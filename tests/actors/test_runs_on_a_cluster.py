"""Runs on hosts of a real cluster, and the fronts that have them begun and attend them."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from actors.calls import answer
from actors.cluster_runtime import ClusterRuntime
from chidori_actors.errors import RunExists, UsageError
from chidori_actors.host.function import Question
from chidori_actors.journal.runs import get_run
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef
from chidori_actors.session.outcome import Cancelled
from tests.support.agents import (
    RecordingObserver,
    failure_of,
    output_of,
    pause_of,
    records_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.gate import gate
from tests.support.openai_server import OpenAIServer
from tests.support.services import ScriptedQuestions

from .clusters import SECONDS, cluster_in, front_of, home_of

TALKS = """
export async function agent(input: any, chidori: any) {
  const texts = [];
  for (let number = 0; number < 3; number++) texts.push(await chidori.prompt(`say ${number}`));
  return texts;
}
"""
ASKS = """
export async function agent(input: any, chidori: any) {
  await chidori.log("before");
  const name = await chidori.input("Name?");
  await chidori.log("after");
  return "Hello " + name;
}
"""
FAILS = """
export async function agent(input: any, chidori: any) {
  await chidori.log("before");
  const nothing: any = undefined;
  return nothing.field;
}
"""
FETCHES = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.http(input.url + "/a");
  const second = await chidori.http(input.url + "/b");
  return [first.body.through, second.body.through];
}
"""


class Board:
    """Answers nothing by itself; ``posted`` are the open questions and how to answer them."""

    def __init__(self) -> None:
        self.posted: asyncio.Queue[tuple[Question, Callable[[str], None]]] = asyncio.Queue()
        self.withdrawn: list[Question] = []
        self.paused = asyncio.Event()

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self.posted.put_nowait((question, answered))

    def withdraw(self, question: Question) -> None:
        self.withdrawn.append(question)

    def pauses(self) -> None:
        self.paused.set()


def _asking(model: OpenAIServer) -> dict[str, str]:
    """Settings of a run that asks that model."""
    return {"LITELLM_API_URL": model.url, "LITELLM_API_KEY": "k", "CHIDORI_MODEL": "m"}


async def test_a_run_is_the_same_as_in_one_process(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, TALKS)
    seen: dict[str, RecordingObserver] = {"here": RecordingObserver(), "there": RecordingObserver()}
    outputs = []
    # Its answers differ from call to call, so that each runtime has one of its own.
    async with OpenAIServer() as model, runtime_in(tmp_path / "local", _asking(model)) as local:
        outputs.append(output_of(await start(local, agent, attendance=Attendance(seen["here"]))))
    async with (
        OpenAIServer() as model,
        cluster_in(tmp_path, namespace) as handles,
        front_of(handles, _asking(model)) as front,
    ):
        outputs.append(output_of(await within(SECONDS, start(front, agent, attendance=Attendance(seen["there"])))))
        assert [record["function"] for record in records_of(front.store)] == ["prompt"] * 3
        assert get_run(front.store, "test-run").status == "completed"
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0])) == 3

    def told(observer: RecordingObserver) -> list[object]:
        return [entry[:2] for entry in observer.seen if entry[0] != "noted"]

    assert told(seen["there"]) == told(seen["here"])


async def test_errors_come_back_as_they_were_raised(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, FAILS)
    async with runtime_in(tmp_path / "local") as local:
        here = failure_of(await start(local, agent))
    async with cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        assert failure_of(await within(SECONDS, start(front, agent))) == here
        with pytest.raises(RunExists, match="run test-run exists already") as taken:
            await within(SECONDS, start(front, agent))
        assert taken.value.hint == "continue it with `chidori resume … test-run`"
        with pytest.raises(UsageError, match="is not a run id"):
            await within(SECONDS, start(front, agent, run_id="no id"))


async def test_a_paused_run_is_answered_asked_and_resumed(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, ASKS)
    async with cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        paused = pause_of(await within(SECONDS, start(front, agent)))
        assert [question.prompt for question in paused.questions] == ["Name?"]
        questions = ScriptedQuestions(["Ada"])
        observer = RecordingObserver()
        attendance = Attendance(observer, questions)
        resumed = await within(SECONDS, front.resume("test-run", attendance=attendance))
        assert output_of(resumed) == "Hello Ada"
        assert [question.prompt for question in questions.asked] == ["Name?"]
        assert [record["function"] for record in records_of(front.store)] == ["log", "input", "log"]


async def test_a_run_whose_host_is_killed_goes_on_elsewhere_and_asks_no_more_than_it_must(
    tmp_path: Path, namespace: str
) -> None:
    agent, board = write_agent(tmp_path, FETCHES + ASKS.replace("agent(", "unused(")), Board()
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        run = asyncio.create_task(start(front, agent, {"url": target.url}, attendance=Attendance(board=board)))
        target.open("/a")
        await within(SECONDS, target.until_asked("/b"))
        home = await home_of(handles, "test-run")
        os.kill((await answer(home.ping.remote())).pid, signal.SIGKILL)
        await within(SECONDS, target.until_asked("/b", 2))
        target.open("/b")
        assert output_of(await within(SECONDS, run)) == ["/a", "/b"]
        assert target.asked == ["/a", "/b", "/b"]


async def test_a_question_stays_where_it_is_when_its_host_is_killed(tmp_path: Path, namespace: str) -> None:
    source = ASKS.replace(
        'const name = await chidori.input("Name?");',
        'const [name] = await Promise.all([chidori.input("Name?"), chidori.http(input.url + "/a")]);',
    )
    agent, board = write_agent(tmp_path, source), Board()
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        run = asyncio.create_task(start(front, agent, {"url": target.url}, attendance=Attendance(board=board)))
        _, answered = await within(SECONDS, board.posted.get())
        await within(SECONDS, target.until_asked("/a"))
        home = await home_of(handles, "test-run")
        os.kill((await answer(home.ping.remote())).pid, signal.SIGKILL)
        await within(SECONDS, target.until_asked("/a", 2))
        answered("Ada")
        target.open("/a")
        assert output_of(await within(SECONDS, run)) == "Hello Ada"
        assert board.posted.empty(), "the question was posted again"


async def _until_nobody_drives(front: ClusterRuntime, run_id: str) -> None:
    # Its host tells the supervisor after the front.
    while True:
        if not await front.is_attendable(run_id):
            return
        await asyncio.sleep(0.02)


async def test_a_run_is_cancelled_and_a_run_that_nobody_waits_for_is_stopped(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, FETCHES)
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        held: list[ActorRef] = []
        attendance = Attendance(holding=held.append)
        cancelled = asyncio.create_task(
            start(front, agent, {"url": target.url}, run_id="cancelled", attendance=attendance)
        )
        await within(SECONDS, target.until_asked("/a"))
        held[0].cancel("enough")
        assert (await within(SECONDS, cancelled)).rest == Cancelled("enough")
        assert get_run(front.store, "cancelled").status == "cancelled"
        stopped = asyncio.create_task(start(front, agent, {"url": target.url}, run_id="stopped"))
        await within(SECONDS, target.until_asked("/a", 2))
        stopped.cancel()
        await asyncio.wait([stopped], timeout=SECONDS)
        assert get_run(front.store, "stopped").status == "running"
        await within(SECONDS, _until_nobody_drives(front, "stopped"))
        for path in ("/a", "/b"):
            target.open(path)
        assert output_of(await within(SECONDS, front.resume("stopped"))) == ["/a", "/b"]


async def test_a_session_goes_on_without_its_front_and_another_attends_it(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, ASKS)
    source = ASKS.replace(
        'const name = await chidori.input("Name?");',
        'const [name] = await Promise.all([chidori.input("Name?"), chidori.http(input.url + "/a")]);',
    )
    agent = write_agent(tmp_path, source)
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as other:
        first, second = Board(), Board()
        async with front_of(handles) as front:
            served = Attendance(board=first, publish=lambda number, event, data: None)
            run = asyncio.create_task(start(front, agent, {"url": target.url}, attendance=served))
            await within(SECONDS, first.posted.get())
            await within(SECONDS, target.until_asked("/a"))
            run.cancel()
            await asyncio.wait([run], timeout=SECONDS)
        assert await other.is_attendable("test-run")
        served = Attendance(board=second, publish=lambda number, event, data: None)
        attended = asyncio.create_task(other.attend("test-run", served))
        question, answered = await within(SECONDS, second.posted.get())
        assert question.prompt == "Name?"
        answered("Ada")
        target.open("/a")
        assert output_of(await within(SECONDS, attended)) == "Hello Ada"
        assert target.asked == ["/a"]


async def test_a_drained_host_hands_its_runs_over(tmp_path: Path, namespace: str) -> None:
    agent = write_agent(tmp_path, FETCHES)
    async with gate() as target, cluster_in(tmp_path, namespace) as handles, front_of(handles) as front:
        run = asyncio.create_task(start(front, agent, {"url": target.url}))
        await within(SECONDS, target.until_asked("/a"))
        home = await home_of(handles, "test-run")
        leaving = asyncio.ensure_future(home.evacuate.remote())
        target.open("/a")
        await within(SECONDS, leaving)
        await within(SECONDS, target.until_asked("/b"))
        target.open("/b")
        assert output_of(await within(SECONDS, run)) == ["/a", "/b"]
        assert target.asked == ["/a", "/b"]
        assert await answer(home.hosted.remote()) == []
        ray.kill(home)
