"""What travels between fronts and hosts: errors as they were, secrets in memory alone."""

import asyncio
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from actors.front_queue import FrontQueues
from actors.news import Answered, Ended, Observed, Posted, Told
from actors.work import Conditions, Listening, Source, Work
from chidori_actors import errors
from chidori_actors.errors import ChidoriError, ReplayDivergence, SourceError
from chidori_actors.host.function import Question
from chidori_actors.policy import Policy
from chidori_actors.settings import load_settings

SECRET = "sk-not-to-be-seen"
LISTENING = Listening("front-1", "ends", publish=True, questions=False, board=True)


def _kinds() -> list[type[ChidoriError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ChidoriError)]
    return [kind for kind in found if kind not in (SourceError, ReplayDivergence)]


@pytest.mark.parametrize("kind", _kinds())
def test_an_error_says_the_same_in_another_process(kind: type[ChidoriError]) -> None:
    error = kind("what happened", hint="how to get out")
    error.add_note("more")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.hint, again.exit_code) == ("what happened", "how to get out", error.exit_code)
    assert again.__notes__ == ["more"]


def test_a_divergence_keeps_both_sides() -> None:
    recorded, attempted = {"function": "log", "args": {"message": "a"}}, {"function": "log", "args": {"message": "b"}}
    difference = {"path": "message", "recorded": "a", "attempted": "b"}
    error = ReplayDivergence(
        "diverged", seq=3, recorded=recorded, attempted=attempted, difference=difference, place="a.ts:1:2", hint="look"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.hint, again.seq, again.place) == ("diverged", "look", 3, "a.ts:1:2")
    assert (again.recorded, again.attempted, again.difference) == (recorded, attempted, difference)


def test_a_fault_in_a_source_keeps_its_place() -> None:
    error = SourceError("unexpected `}`", path="agent.ts", line=3, column=7, source_line="  }", hint="remove it")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "agent.ts:3:7: unexpected `}`\n  }"
    assert (again.place, again.path, again.line, again.column, again.reason, again.hint) == (
        "agent.ts:3:7",
        "agent.ts",
        3,
        7,
        "unexpected `}`",
        "remove it",
    )


def test_nothing_that_is_shown_of_a_work_has_a_secret(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "OPENAI_API_KEY": SECRET,
            "CHIDORI_API_KEY": SECRET,
            "CHIDORI_POLICY": json.dumps(
                {"rules": [{"target": "http", "decision": "never_allow", "reason": SECRET}], "default": "always_allow"}
            ),
            "CHIDORI_TEST_LLM_RESPONSE": SECRET,
        }
    )
    text: asyncio.Future[bytes] = asyncio.Future(loop=asyncio.new_event_loop())
    text.set_result(SECRET.encode())
    work = Work(
        run_id="run-1",
        kind="run",
        number=1,
        conditions=Conditions(settings, Policy.load(settings), 5),
        listening=LISTENING,
        arguments={"input_json": SECRET.encode()},
        source=Source("digest", text),
    )
    answer = Answered((1, "input"), SECRET)
    assert SECRET not in repr((work, work.resumed(), answer, Ended(ChidoriError(SECRET))))
    again = pickle.loads(pickle.dumps(replace(work, source=None)))
    assert again.conditions == work.conditions
    assert again.conditions.settings.environ["OPENAI_API_KEY"] == SECRET
    text.get_loop().close()


async def test_a_front_is_told_everything_once_and_in_order_until_it_has_it() -> None:
    queues = FrontQueues(lost_after_s=30.0)
    queues.hear("front-1")
    for number in range(3):
        queues.tell("front-1", "run", Observed("noted", (str(number),)))
    queues.tell("front-2", "run", Observed("noted", ("nobody",)))
    first = await queues.after("front-1", 0)
    assert [told.news for told in first] == [Observed("noted", (str(number),)) for number in range(3)]
    assert await queues.after("front-1", 0) == first, "what it did not get comes again"
    waiting = asyncio.create_task(queues.after("front-1", first[-1].number))
    await asyncio.sleep(0)
    queues.tell("front-1", "run", Observed("noted", ("new",)))
    told = await asyncio.wait_for(waiting, 5)
    assert [each.news for each in told] == [Observed("noted", ("new",))]
    assert told[0].number > first[-1].number


async def test_what_nobody_fetches_is_bounded_and_ends_and_questions_are_kept() -> None:
    queues = FrontQueues(lost_after_s=30.0)
    queues.hear("front-1")
    question = Question(1, "1", "input", "Name?")
    queues.tell("front-1", "run", Posted(question))
    for _ in range(25_000):
        queues.tell("front-1", "run", Observed("noted", ("chatter",)))
    queues.tell("front-1", "run", Ended(None))
    told: list[Told] = []
    after = 0
    while not told or not isinstance(told[-1].news, Ended):
        told += await queues.after("front-1", after)
        after = told[-1].number
    assert told[0].news == Posted(question)
    assert len(told) < 25_000


async def test_a_front_that_is_not_heard_of_is_forgotten_but_its_numbers_go_on() -> None:
    queues = FrontQueues(lost_after_s=0.0)
    queues.hear("front-1")
    queues.tell("front-1", "run", Ended(None))
    last = (await queues.after("front-1", 0))[-1].number
    assert queues.drop_silent() == ["front-1"]
    queues.hear("front-1")
    queues.tell("front-1", "run", Ended(None))
    assert [told.number for told in await queues.after("front-1", last)] == [last + 1]
