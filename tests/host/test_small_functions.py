"""``timer``, ``log``, ``checkpoint`` and ``input``."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host import checkpoint, log, timer
from chidori_actors.host.function import HostError, HostServices, Question, Unanswered
from chidori_actors.host.input import FUNCTION as INPUT
from tests.support.services import ScriptedQuestions, make_call, make_services, run_function


@pytest.fixture
def services(tmp_path: Path) -> HostServices:
    return make_services(tmp_path)


async def test_a_timer_waits_as_long_as_it_says(services: HostServices) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await run_function(timer.FUNCTION, {"ms": 30}, services) is None
    assert loop.time() - start >= 0.029


async def test_a_timer_of_a_call_made_earlier_waits_for_the_rest_of_its_time(services: HostServices) -> None:
    hour_ms = 3_600_000
    rest_ms = 50
    call = replace(make_call("timer", {"ms": hour_ms}), at_ms=int(time.time() * 1000) - hour_ms + rest_ms)
    async with asyncio.timeout(30):
        await timer.wait(call, services)
    assert time.time() * 1000 >= call.at_ms + hour_ms - 1
    long_over = replace(call, at_ms=0)
    async with asyncio.timeout(30):
        assert (await timer.wait(long_over, services)).value == b"null"


async def test_a_timer_never_waits_for_more_than_the_whole(services: HostServices) -> None:
    call = make_call("timer", {"ms": 10})
    async with asyncio.timeout(30):
        await timer.wait(replace(call, at_ms=call.at_ms + 3_600_000), services)


def test_a_call_that_took_the_place_of_another_has_a_key_of_its_own() -> None:
    call = make_call("http", {})
    assert call.key == "run-1:4/2"
    again = replace(call, at_ms=call.at_ms + 1)
    assert again.key == call.key
    keys = {replace(call, attempt=attempt).key for attempt in (1, 2, 3)}
    assert len(keys) == 3
    assert replace(call, attempt=2).key == replace(again, attempt=2).key


@pytest.mark.parametrize("ms", [-1, 0, float("nan"), None, "5000", True])
async def test_a_delay_that_is_none_ends_at_once(services: HostServices, ms: object) -> None:
    async with asyncio.timeout(10):
        await run_function(timer.FUNCTION, {"ms": ms}, services)


async def test_a_timer_can_be_cancelled(services: HostServices) -> None:
    task = asyncio.create_task(run_function(timer.FUNCTION, {"ms": 1e12}, services))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_log_and_checkpoint_answer_null_and_are_finished_when_the_agent_ends(
    services: HostServices,
) -> None:
    assert await run_function(log.FUNCTION, {"message": "hi", "fields": {"n": 1}}, services) is None
    assert await run_function(checkpoint.FUNCTION, {"label": "l"}, services) is None
    assert log.FUNCTION.finishes
    assert checkpoint.FUNCTION.finishes
    assert not timer.FUNCTION.finishes


def test_what_log_and_checkpoint_record() -> None:
    assert log.FUNCTION.record_args is not None
    assert checkpoint.FUNCTION.record_args is not None
    assert log.FUNCTION.record_args({"message": "m", "fields": None}, None) == {"message": "m"}
    assert log.FUNCTION.record_args({"message": "m", "fields": {}}, None) == {"message": "m", "fields": {}}
    assert checkpoint.FUNCTION.record_args({"label": "l"}, None) == {"label": "l", "data": None}


async def test_a_message_or_label_that_is_no_text_is_refused(services: HostServices) -> None:
    with pytest.raises(HostError, match="log: the message must be a string"):
        await run_function(log.FUNCTION, {"message": 1}, services)
    with pytest.raises(HostError, match="checkpoint: the label must be a string"):
        await run_function(checkpoint.FUNCTION, {}, services)


async def test_input_asks_and_gives_the_answer(tmp_path: Path) -> None:
    services = make_services(tmp_path, answers=["no"])
    args = {"prompt": "Sure?", "type": "approval", "choices": ["yes", "no"], "default": "no"}
    assert await run_function(INPUT, args, services) == "no"
    assert isinstance(services.questions, ScriptedQuestions)
    assert services.questions.asked == [
        Question(
            seq=7,
            path="4/2",
            kind="input",
            prompt="Sure?",
            choices=("yes", "no"),
            default="no",
            details={"type": "approval"},
        )
    ]


async def test_input_stays_open_when_nobody_answers(services: HostServices) -> None:
    with pytest.raises(Unanswered):
        await run_function(INPUT, {"prompt": "?"}, services)


async def test_an_answer_that_is_no_choice_is_an_error(tmp_path: Path) -> None:
    services = make_services(tmp_path, answers=["maybe"])
    with pytest.raises(HostError, match='"maybe" is not among the choices: yes, no'):
        await run_function(INPUT, {"prompt": "?", "choices": ["yes", "no"]}, services)


@pytest.mark.parametrize(
    "args",
    [{}, {"prompt": "?", "choices": []}, {"prompt": "?", "choices": [1]}, {"prompt": "?", "default": 1}],
)
async def test_a_bad_question_is_asked_of_nobody(services: HostServices, args: dict[str, Any]) -> None:
    with pytest.raises(HostError, match=r"^input: "):
        await run_function(INPUT, args, services)
    assert isinstance(services.questions, ScriptedQuestions)
    assert services.questions.asked == []
