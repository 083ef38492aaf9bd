"""Questions between a run and its front, when hosts die and answers come too late."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from actors.attended_run import AttendedRun
from actors.front_queue import FrontQueues
from actors.news import Aborting, Answered, Asked, Cancelling, Deed, Pausing, Posted, Replied, Unasked, Withdrawn
from actors.relayed_attendance import RelayedAttendance
from actors.work import Listening
from chidori_actors.host.function import Question, Unanswered
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef
from chidori_actors.session.live_parts import Part
from tests.support.services import ScriptedQuestions

QUESTION = Question(3, "3", "input", "Name?")
KEY = (3, "input")
LISTENING = Listening("front-1", "everything", publish=False, questions=True, board=True)


@dataclass
class Board:
    posted: list[Question] = field(default_factory=list)
    answer: list[Callable[[str], None]] = field(default_factory=list)
    withdrawn: list[Question] = field(default_factory=list)
    paused: bool = False

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self.posted.append(question)
        self.answer.append(answered)

    def withdraw(self, question: Question) -> None:
        self.withdrawn.append(question)

    def pauses(self) -> None:
        self.paused = True


def _attended(attendance: Attendance) -> tuple[AttendedRun, list[Deed]]:
    done: list[Deed] = []
    return AttendedRun("run", LISTENING, attendance, lambda run_id, deed: done.append(deed)), done


class Root:
    """A run's root actor, and which of its parts were ended."""

    def __init__(self) -> None:
        self.aborted: list[tuple[Part, str]] = []

    def abort(self, part: Part, reason: str) -> None:
        self.aborted.append((part, reason))


async def test_a_part_that_a_front_wants_ended_is_ended_at_the_run_s_home_once_that_is_there() -> None:
    held: list[ActorRef] = []
    run, done = _attended(Attendance(holding=held.append))
    run.hold()
    part, root = Part(seq=7), Root()
    held[0].abort(part, "too slow")
    assert done == [Aborting(part, "too slow")]
    relay = RelayedAttendance("run", LISTENING, FrontQueues(30.0))
    relay.act("front-1", Aborting(part, "too slow"))
    relay.attendance().holding(cast(ActorRef, root))
    relay.act("front-1", Aborting(part, "too slow"))
    assert root.aborted == [(part, "too slow")]
    run.goes_on_as(cast(ActorRef, root))
    held[0].abort(Part(actor="7/b1"), "enough")
    assert root.aborted[1:] == [(Part(actor="7/b1"), "enough")]


async def test_an_answer_that_comes_while_the_run_is_put_to_rest_is_kept() -> None:
    board = Board()
    run, done = _attended(Attendance(board=board))
    run.told(Posted(QUESTION))
    board.answer[0]("Ada")
    run.told(Pausing())
    run.told(Withdrawn(QUESTION))
    assert run.late == {KEY: "Ada"}
    assert not board.paused, "it is about to be brought back"
    assert done == [Answered(KEY, "Ada")]


async def test_without_an_answer_on_its_way_the_front_hears_of_the_pause() -> None:
    board = Board()
    run, _ = _attended(Attendance(board=board))
    run.told(Posted(QUESTION))
    run.told(Pausing())
    assert (run.late, board.paused) == ({}, True)


async def test_a_question_that_another_host_posts_again_is_not_posted_twice_and_its_answer_is_sent_again() -> None:
    board = Board()
    run, done = _attended(Attendance(board=board))
    run.told(Posted(QUESTION))
    run.leaves()
    run.told(Posted(QUESTION))
    board.answer[0]("Ada")
    run.leaves()
    run.told(Posted(QUESTION))
    assert board.posted == [QUESTION]
    assert done == [Answered(KEY, "Ada")] * 2


async def test_a_reply_that_a_dead_host_had_is_given_to_the_next_and_nobody_is_asked_twice() -> None:
    questions = ScriptedQuestions(["Ada", "Grace"])
    run, done = _attended(Attendance(questions=questions))
    run.told(Asked(QUESTION))
    await asyncio.sleep(0)
    assert done == [Replied(KEY, "Ada")]
    run.leaves()
    run.told(Asked(QUESTION))
    assert done == [Replied(KEY, "Ada")] * 2
    run.told(Unasked(QUESTION))
    run.told(Asked(QUESTION))  # of the same life: it is another question
    await asyncio.sleep(0)
    assert done[2:] == [Replied(KEY, "Grace")]


async def test_a_cancelled_run_is_cancelled_where_it_goes_on() -> None:
    run, done = _attended(Attendance())
    run.cancel("enough")
    run.leaves()
    run.arrived()
    assert done == [Cancelling("enough")] * 2


async def test_a_question_waits_for_every_front_and_the_first_answer_counts() -> None:
    relay = RelayedAttendance("run", LISTENING, FrontQueues(30.0))
    relay.join(Listening("front-2", "ends", publish=True, questions=True, board=True))
    asking = asyncio.create_task(relay.attendance().questions.ask(QUESTION))
    await asyncio.sleep(0)
    relay.act("front-2", Replied(KEY, None))
    relay.act("front-1", Replied(KEY, "Ada"))
    assert await asking == "Ada"


async def test_a_question_is_unanswered_once_no_front_is_left() -> None:
    relay = RelayedAttendance("run", LISTENING, FrontQueues(30.0))
    asking = asyncio.create_task(relay.attendance().questions.ask(QUESTION))
    await asyncio.sleep(0)
    relay.leave(["front-1"])
    with pytest.raises(Unanswered, match=QUESTION.prompt):
        await asking


async def test_an_answer_after_the_run_began_to_rest_reaches_nobody() -> None:
    relay = RelayedAttendance("run", LISTENING, FrontQueues(30.0))
    board = relay.attendance().board
    assert board is not None
    answers: list[str] = []
    board.post(QUESTION, answers.append)
    board.pauses()
    relay.act("front-1", Answered(KEY, "Ada"))
    assert answers == []
