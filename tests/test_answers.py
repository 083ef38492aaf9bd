"""Which question ``--answer``, ``--approve`` and ``--deny`` answer."""

from typing import Any

import pytest

from chidori_actors.answers import OLDEST, Prepared, match_answers
from chidori_actors.errors import UsageError
from chidori_actors.host.function import Question, Unanswered
from chidori_actors.session.attendance import Nobody


def question(seq: int, kind: str = "input", choices: list[str] | None = None) -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "choices": choices}


APPROVAL = ["yes", "all", "no"]
PENDING = [
    question(2),
    question(4, "approval", APPROVAL),
    question(5, choices=["red", "blue"]),
    question(7, "in_doubt", ["again", "fail"]),
]


@pytest.mark.parametrize(
    ("answers", "approve", "deny", "expected"),
    [
        (["Ada"], [], [], {(2, "input"): "Ada"}),
        (["5=blue"], [], [], {(5, "input"): "blue"}),
        (["Ada", "red"], [], [], {(2, "input"): "Ada", (5, "input"): "red"}),
        (["red", "2=Ada"], [], [], {(2, "input"): "Ada", (5, "input"): "red"}),
        (["2=1=one"], [], [], {(2, "input"): "1=one"}),
        (["a=b"], [], [], {(2, "input"): "a=b"}),
        (["4=all"], [], [], {(4, "approval"): "all"}),
        ([], [OLDEST], [], {(4, "approval"): "yes"}),
        ([], [], [OLDEST], {(4, "approval"): "no"}),
        ([], ["7"], ["4"], {(7, "in_doubt"): "again", (4, "approval"): "no"}),
        ([], [OLDEST, "4"], [], {(4, "approval"): "yes", (7, "in_doubt"): "again"}),
    ],
)
def test_answers_find_their_questions(
    answers: list[str], approve: list[str], deny: list[str], expected: object
) -> None:
    assert match_answers(PENDING, answers, approve, deny) == expected


@pytest.mark.parametrize(
    ("answers", "approve", "deny", "message"),
    [
        (["3=x"], [], [], "question 3 is not open"),
        (["5=green"], [], [], "'green' is not among the choices of question 5"),
        (["Ada", "green"], [], [], "'green' is not among the choices of question 5"),
        (["Ada", "red", "more"], [], [], "no open question of this run waits for an answer"),
        (["2=x", "2=y"], [], [], "question 2 was given two answers"),
        ([], ["4"], ["4"], "question 4 was given two answers"),
        ([], ["2"], [], "question 2 asks for text"),
        ([], ["99"], [], "question 99 is not open"),
    ],
)
def test_answers_without_a_question_are_refused(
    answers: list[str], approve: list[str], deny: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        match_answers(PENDING, answers, approve, deny)


def test_nothing_can_be_answered_when_no_question_is_open() -> None:
    with pytest.raises(UsageError) as refused:
        match_answers([], [], [OLDEST], [])
    assert refused.value.hint == "the run has no open question"


async def test_an_answer_is_for_one_kind_of_question_only() -> None:
    prepared = Prepared({(4, "approval"): "yes"}, Nobody())
    approval = Question(seq=4, path="4", kind="approval", prompt="?", choices=("yes", "all", "no"))
    doubt = Question(seq=4, path="4", kind="in_doubt", prompt="?", choices=("again", "fail"))
    assert await prepared.ask(approval) == "yes"
    with pytest.raises(Unanswered):
        await prepared.ask(doubt)
